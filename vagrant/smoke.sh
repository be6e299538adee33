#!/usr/bin/env bash
# Shows that a lab works, one line for each check: on the machines of `vagrant up`, or on the
# namespace lab (scripts/lab smoke runs it so). It needs three nodes in one cluster, and leaves them
# as they were.
#
#   vagrant/smoke.sh                  the machines of the Vagrantfile
#   vagrant/smoke.sh --lab NAME       the namespace lab NAME
set -euo pipefail

root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd -P)
readonly root network=smoke port=18080
readonly soon_seconds=60 boot_seconds=${SMOKE_BOOT_SECONDS:-900}
lab='' passed=0 failed=0 work=''

main() {
  case ${1-} in
    '') ;;
    --lab) lab=${2:?'--lab needs a name'} ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "smoke: unknown word \"$1\"; see vagrant/smoke.sh --help" >&2; exit 2 ;;
  esac
  mapfile -t nodes < <(grep -v '^#' "$root/vagrant/nodes" | cut -d' ' -f1)
  mapfile -t addresses < <(grep -v '^#' "$root/vagrant/nodes" | cut -d' ' -f2)
  [[ $lab != '' ]] || reach_machines
  work=$(mktemp -d)
  trap clean_up EXIT
  trap 'exit 130' INT TERM
  clean_tasks
  check 'nodes ready' nodes_ready
  check 'network on all nodes' network_everywhere
  check 'a task on each node' tasks_started
  check 'ping across hosts' pings_cross
  check 'curl across hosts' curls_cross
  check 'VXLAN on UDP 4789' vxlan_on_wire
  check 'VIP, one after the other' vip_goes_round
  check 'published port on all nodes' port_answers
  check 'node powered off' node_goes
  check 'node back' node_comes
  printf 'smoke: %d checks, %d passed, %d failed\n' $(( passed + failed )) "$passed" "$failed"
  (( failed == 0 ))
}

# ---- how a check is run, and how a node is reached ----

# $1: what it is called; $2: a function that prints what it saw, and fails if that is not right.
check() {
  local seen
  if seen=$("$2" 2>&1); then
    printf 'ok    %s: %s\n' "$1" "$(tail -n 1 <<<"$seen")"
    passed=$(( passed + 1 ))
  else
    printf 'FAIL  %s: %s\n' "$1" "$(tail -n 3 <<<"$seen" | paste -sd' ')"
    failed=$(( failed + 1 ))
  fi
}

reach_machines() {
  ssh_config=$(mktemp)
  vagrant ssh-config >"$ssh_config" 2>/dev/null && return
  rm -f "$ssh_config"
  echo 'smoke: the machines are not up; start them with: vagrant up' >&2
  exit 1
}

# Run a command as root on a node. A shell of the far side would split its words again.
on() {
  local node=$1
  shift
  if [[ $lab != '' ]]; then
    "$root/scripts/lab" exec --name "$lab" "$node" -- "$@"
  else
    ssh -nF "$ssh_config" -o ConnectTimeout=20 "$node" sudo "$(printf '%q ' "$@")"
  fi
}

# $1: how many seconds; the rest: what must become true.
await() {
  local deadline=$(( SECONDS + $1 ))
  shift
  until "$@" >/dev/null 2>&1; do
    (( SECONDS < deadline )) || return 1
    sleep 0.5
  done
}

power_off() {
  if [[ $lab == '' ]]; then (cd "$root" && vagrant halt --force "$1"); return; fi
  # A host of the lab has no switch. Its daemon dies, its cable is out, its tasks are gone.
  "$root/scripts/lab" daemon "$1" kill --name "$lab"
  on "$1" ip link set eth1 down
  # shellcheck disable=SC2016
  on "$1" sh -c 'for name in $(ip netns list | cut -d" " -f1); do
    kill -KILL $(ip netns pids "$name") 2>/dev/null; ip netns delete "$name"; done'
}

power_on() {
  if [[ $lab == '' ]]; then (cd "$root" && vagrant up --no-provision "$1"); return; fi
  on "$1" ip link set eth1 up
  "$root/scripts/lab" daemon "$1" start --name "$lab"
}

clean_tasks() {
  local node
  for node in "${nodes[@]}"; do on "$node" tapmesh rm -f "smoke-$node" >/dev/null 2>&1 || true; done
  remove_service 2>/dev/null || true
  if has_network "${nodes[0]}" >/dev/null 2>&1; then
    await 30 on "${nodes[0]}" tapmesh network rm "$network" || true
  fi
}

clean_up() {
  clean_tasks
  rm -rf -- "$work"
  [[ $lab != '' ]] || rm -f -- "$ssh_config"
}

# ---- the checks ----

# $1: the node that is asked; $2: how many it must call ready.
sees_ready() { [[ $(on "$1" tapmesh node ls | grep -c ' Ready ') == "$2" ]]; }

nodes_ready() {
  local node
  for node in "${nodes[@]}"; do
    await "$soon_seconds" sees_ready "$node" "${#nodes[@]}" ||
      { on "$node" tapmesh node ls; return 1; }
  done
  echo "each of ${#nodes[@]} nodes sees ${#nodes[@]} ready"
}

has_network() { on "$1" tapmesh network inspect "$network"; }

network_everywhere() {
  local node
  on "${nodes[0]}" tapmesh network create "$network"
  for node in "${nodes[@]}"; do await "$soon_seconds" has_network "$node"; done
  echo "made on ${nodes[0]}, known on ${#nodes[@]}"
}

start_task() {
  on "$1" tapmesh run -d --name "smoke-$1" --network "$network" -- tapmesh whoami
}

# The address of a node's task; the first node may not know of it yet.
address_of() {
  on "$1" tapmesh inspect "smoke-$1" | grep -oE '10\.[0-9]+\.[0-9]+\.[0-9]+' | head -n 1
}

tasks_started() {
  local node
  for node in "${nodes[@]}"; do
    start_task "$node"
    address_of "$node" >"$work/$node"
    [[ -s $work/$node ]] || { echo "smoke-$node has no address"; return 1; }
  done
  cat "$work"/* | paste -sd' '
}

# $1: from which node; $2: to the task of which.
answers_ping() {
  on "$1" tapmesh exec "smoke-$1" -- ping -c 1 -W 2 "$(<"$work/$2")"
}

pings_cross() {
  local from to pairs=0
  for from in "${nodes[@]}"; do
    for to in "${nodes[@]}"; do
      [[ $from != "$to" ]] || continue
      await "$soon_seconds" answers_ping "$from" "$to" ||
        { answers_ping "$from" "$to"; echo "$from to $to: no answer"; return 1; }
      pairs=$(( pairs + 1 ))
    done
  done
  echo "$pairs pairs of nodes answer"
}

curls_cross() {
  local from=${nodes[0]} to page
  for to in "${nodes[@]:1}"; do
    page=$(on "$from" tapmesh exec "smoke-$from" -- \
      curl -s --max-time 20 "http://$(<"$work/$to")/") || { echo "$from to $to: no page"; return 1; }
    grep -q "RemoteAddr: $(<"$work/$from"):" <<<"$page" || { echo "$page"; return 1; }
  done
  echo "pages of $(( ${#nodes[@]} - 1 )) nodes, each saw the address of the asking task"
}

# What tcpdump decodes, for one ping between two nodes.
vxlan_on_wire() {
  local from=${nodes[0]} to=${nodes[1]} seen="$work/seen" watching
  on "$from" timeout 30 tcpdump -c 2 --immediate-mode -lni any 'udp dst port 4789' >"$seen" \
    2>"$seen.err" &
  watching=$!
  await 20 grep -q 'listening on' "$seen.err" || { cat "$seen.err"; return 1; }
  on "$from" tapmesh exec "smoke-$from" -- ping -c 3 -i 0.3 -W 2 "$(<"$work/$to")" >/dev/null
  wait "$watching" || true
  grep -m 1 -o 'VXLAN, flags \[I\] (0x08), vni [0-9]*' "$seen" || { cat "$seen"; return 1; }
}

runs_everywhere() {
  [[ $(on "${nodes[0]}" tapmesh service ps "$network" | grep -c ' Running ') -ge ${#nodes[@]} ]]
}

# A page of the service, by its name; "Hostname: …" tells which task has answered.
who_answers() {
  on "${nodes[0]}" tapmesh exec "smoke-${nodes[0]}" -- curl -s --max-time 10 "http://$network/" |
    grep -o '^Hostname: [0-9a-f]*'
}

remove_service() { on "${nodes[0]}" tapmesh service rm "$network" >/dev/null; }

# A service with a task for each node. $@: more of its words.
start_service() {
  on "${nodes[0]}" tapmesh service create -d --name "$network" --network "$network" \
    --replicas "${#nodes[@]}" "$@" -- tapmesh whoami >/dev/null
  await "$soon_seconds" runs_everywhere ||
    { on "${nodes[0]}" tapmesh service ps "$network"; return 1; }
}

# So many connections as there are tasks, each to another one.
vip_goes_round() {
  local count=${#nodes[@]} number
  start_service
  await "$soon_seconds" who_answers || { echo "nobody answers at http://$network/"; return 1; }
  for (( number = 0; number < count; number++ )); do who_answers; done >"$work/answers"
  remove_service
  [[ $(sort -u "$work/answers" | wc -l) == "$count" ]] || { cat "$work/answers"; return 1; }
  echo "$count connections, $count tasks"
}

# $1: a node; $2: an address that the page is asked for there.
has_page() {
  on "$1" curl -sf --max-time 10 "http://$2:$port/" || { echo "$1: no page of $2:$port"; return 1; }
}

# The port of the service, on the address of each node from the first one, and on its loopback.
port_answers() {
  local number
  start_service --publish "$port:80"
  for number in "${!nodes[@]}"; do
    await "$soon_seconds" has_page "${nodes[0]}" "${addresses[number]}" ||
      has_page "${nodes[0]}" "${addresses[number]}"
    await "$soon_seconds" has_page "${nodes[number]}" 127.0.0.1 ||
      has_page "${nodes[number]}" 127.0.0.1
  done
  remove_service
  echo "port $port of ${#nodes[@]} nodes, by their addresses and by 127.0.0.1"
}

sees_down() { on "${nodes[0]}" tapmesh node ls | grep " $last " | grep -q ' Down '; }

node_goes() {
  local last=${nodes[-1]} began=$SECONDS
  power_off "$last"
  await "$soon_seconds" sees_down || { on "${nodes[0]}" tapmesh node ls; return 1; }
  answers_ping "${nodes[0]}" "${nodes[1]}" >/dev/null || { echo 'the others are cut'; return 1; }
  echo "$last is down after $(( SECONDS - began )) s, the others go on"
}

node_comes() {
  local last=${nodes[-1]} began=$SECONDS
  power_on "$last"
  await "$boot_seconds" sees_ready "${nodes[0]}" "${#nodes[@]}" ||
    { on "${nodes[0]}" tapmesh node ls; return 1; }
  on "$last" tapmesh rm -f "smoke-$last" >/dev/null 2>&1 || true
  start_task "$last"
  address_of "$last" >"$work/$last"
  await "$soon_seconds" answers_ping "${nodes[0]}" "$last" ||
    { echo "no answer from a task of $last"; return 1; }
  echo "$last is ready after $(( SECONDS - began )) s, and its task answers"
}

main "$@"
