// The routes of the cluster: how it begins and ends for this node, and who and what is in it.
import type { ClusterControl } from '../daemon/cluster-views.ts'
import { answer, check } from './http.ts'
import { letWait, type On, plain, sendLines, withBody, withQuery } from './route.ts'
import {
  clusterInit, clusterJoin, clusterLeave, nodePing, nodeRemove, nodeUpdate, nothing,
  roleName,
} from './schema.ts'

export function addCluster(on: On, cluster: ClusterControl): void {
  addLife(on, cluster)
  addSecrets(on, cluster)
  addNodes(on, cluster)
  addInsight(on, cluster)
}

function addLife(on: On, cluster: ClusterControl): void {
  on('GET', '/v1/cluster', plain(() => cluster.view()))
  on('POST', '/v1/cluster/init', withBody(clusterInit, async (spec, { response }) => {
    answer(response, 201, await cluster.init(spec))
  }))
  on('POST', '/v1/cluster/join', withBody(clusterJoin, async (spec, exchange) => {
    letWait(exchange)
    answer(exchange.response, 201, await cluster.join(spec))
  }))
  on('POST', '/v1/cluster/leave', withBody(clusterLeave, async ({ force }, { response }) => {
    await cluster.leave(force)
    answer(response, 204)
  }))
}

function addSecrets(on: On, cluster: ClusterControl): void {
  on('GET', '/v1/cluster/tokens/:role', plain(params =>
    cluster.token(check(roleName, params).role)))
  on('POST', '/v1/cluster/tokens/:role/rotate', withBody(nothing, async (_, exchange) => {
    const { role } = check(roleName, exchange.params)
    answer(exchange.response, 200, await cluster.rotateToken(role))
  }))
  on('POST', '/v1/cluster/keys/rotate', withBody(nothing, async (_, { response }) => {
    answer(response, 200, await cluster.rotateKeys())
  }))
}

function addNodes(on: On, cluster: ClusterControl): void {
  on('GET', '/v1/nodes', plain(() => cluster.nodes()))
  on('GET', '/v1/nodes/:node', plain(({ node }) => cluster.node(node ?? '')))
  on('DELETE', '/v1/nodes/:node', withQuery(nodeRemove, async ({ force }, exchange) => {
    await cluster.removeNode(exchange.params.node ?? '', force)
    answer(exchange.response, 204)
  }))
  on('GET', '/v1/nodes/:node/tasks', plain(({ node }) => cluster.nodeTasks(node ?? '')))
  on('POST', '/v1/nodes/:node/update', withBody(nodeUpdate, async (change, exchange) => {
    answer(exchange.response, 200, await cluster.updateNode(exchange.params.node ?? '', change))
  }))
  on('GET', '/v1/nodes/:node/ping', withQuery(nodePing, async ({ count }, exchange) => {
    letWait(exchange)
    const view = await cluster.ping(exchange.params.node ?? '', count, exchange.signal)
    answer(exchange.response, 200, view)
  }))
}

function addInsight(on: On, cluster: ClusterControl): void {
  on('GET', '/v1/peers', plain(() => cluster.peers()))
  on('GET', '/v1/cluster/tables', plain(() => cluster.tables()))
  on('GET', '/v1/cluster/tables/:table', plain(({ table }) => cluster.table(table ?? '')))
  on('GET', '/v1/cluster/watch', withQuery(nothing, (_, exchange) =>
    sendLines(exchange, cluster.watch(exchange.signal))))
}
