// The routes of the cluster: how it begins and ends for this node, and who and what is in it.
import type { ClusterControl } from '../daemon/cluster-views.ts'
import { answer, check } from './http.ts'
import { bodyOf, letWait, type On, plain, sendLines } from './route.ts'
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
  on('POST', '/v1/cluster/init', async exchange => {
    answer(exchange.response, 201, await cluster.init(await bodyOf(exchange, clusterInit)))
  })
  on('POST', '/v1/cluster/join', async exchange => {
    const spec = await bodyOf(exchange, clusterJoin)
    letWait(exchange)
    answer(exchange.response, 201, await cluster.join(spec))
  })
  on('POST', '/v1/cluster/leave', async exchange => {
    const { force } = await bodyOf(exchange, clusterLeave)
    await cluster.leave(force)
    answer(exchange.response, 204)
  })
}

function addSecrets(on: On, cluster: ClusterControl): void {
  on('GET', '/v1/cluster/tokens/:role', plain(params =>
    cluster.token(check(roleName, params).role)))
  on('POST', '/v1/cluster/tokens/:role/rotate', async exchange => {
    await bodyOf(exchange, nothing)
    const { role } = check(roleName, exchange.params)
    answer(exchange.response, 200, await cluster.rotateToken(role))
  })
  on('POST', '/v1/cluster/keys/rotate', async exchange => {
    await bodyOf(exchange, nothing)
    answer(exchange.response, 200, await cluster.rotateKeys())
  })
}

function addNodes(on: On, cluster: ClusterControl): void {
  on('GET', '/v1/nodes', plain(() => cluster.nodes()))
  on('GET', '/v1/nodes/:node', plain(({ node }) => cluster.node(node ?? '')))
  on('DELETE', '/v1/nodes/:node', async ({ params, query, response }) => {
    const { force } = check(nodeRemove, query)
    await cluster.removeNode(params.node ?? '', force)
    answer(response, 204)
  })
  on('GET', '/v1/nodes/:node/tasks', plain(({ node }) => cluster.nodeTasks(node ?? '')))
  on('POST', '/v1/nodes/:node/update', async exchange => {
    const change = await bodyOf(exchange, nodeUpdate)
    answer(exchange.response, 200, await cluster.updateNode(exchange.params.node ?? '', change))
  })
  on('GET', '/v1/nodes/:node/ping', async exchange => {
    const { count } = check(nodePing, exchange.query)
    letWait(exchange)
    const view = await cluster.ping(exchange.params.node ?? '', count, exchange.signal)
    answer(exchange.response, 200, view)
  })
}

function addInsight(on: On, cluster: ClusterControl): void {
  on('GET', '/v1/peers', plain(() => cluster.peers()))
  on('GET', '/v1/cluster/tables', plain(() => cluster.tables()))
  on('GET', '/v1/cluster/tables/:table', plain(({ table }) => cluster.table(table ?? '')))
  on('GET', '/v1/cluster/watch', exchange => {
    check(nothing, exchange.query)
    return sendLines(exchange, cluster.watch(exchange.signal))
  })
}
