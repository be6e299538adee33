#!/usr/bin/env bash
# Makes this machine a node of the lab, as root: provision.sh NAME. Installs the package, writes the
# configuration, starts the daemon; the first node of the table begins the cluster, the others join
# it. Run again on a node that is in the cluster, it changes nothing.
set -euo pipefail

readonly name=${1-} here=${TAPMESH_LAB:-/tapmesh}
readonly nodes=$here/vagrant/nodes packages=$here/packages
readonly config=/etc/tapmesh/tapmesh.yaml
readonly token_port=7947 mesh_port=7946
readonly join_seconds=300 daemon_seconds=60

say() { printf '%s: %s\n' "$name" "$*"; }

die() {
  printf '%s: %s\n' "$name" "$*" >&2
  exit 1
}

table() { grep -v '^#' "$nodes"; }

# Try a command until it succeeds; what it said last is kept in $said.
# $1: how many seconds.
said=''
keep_trying() {
  local deadline=$(( SECONDS + $1 ))
  shift
  until said=$("$@" 2>&1); do
    (( SECONDS < deadline )) || return 1
    sleep 1
  done
}

main() {
  [[ -n $name ]] || { echo 'usage: provision.sh NAME' >&2; exit 2; }
  address=$(table | awk -v name="$name" '$1 == name { print $2 }')
  [[ -n $address ]] || die "is not in $nodes"
  first=$(table | awk 'NR == 1 { print $1 }')
  first_address=$(table | awk 'NR == 1 { print $2 }')
  if in_cluster; then
    say 'is in the cluster already, nothing to do'
    return
  fi
  check_address
  name_hosts
  install_package
  start_daemon
  # A node that was in the cluster is in it again as soon as its daemon runs.
  if ! in_cluster; then
    if [[ $name == "$first" ]]; then begin_cluster; else join_cluster; fi
  fi
  say "is ready: $(tapmesh --version), $address"
}

in_cluster() { command -v tapmesh >/dev/null && tapmesh node ls >/dev/null 2>&1; }

check_address() {
  ip -brief address | grep -q " $address/" ||
    die "no device has the address $address; is the private network taken by another program?"
}

name_hosts() {
  hostnamectl set-hostname "$name" 2>/dev/null || hostname "$name"
  echo "$name" >/etc/hostname
  sed -i '/# tapmesh lab$/d; /^127\.0\.1\.1/d' /etc/hosts
  table | awk '{ print $2, $1, "# tapmesh lab" }' >>/etc/hosts
}

install_package() {
  local package missing=() tool
  package=$(ls -t "$packages"/tapmesh_*_"$(dpkg --print-architecture)".deb 2>/dev/null | head -n 1)
  [[ -n $package ]] ||
    die "no package for $(dpkg --print-architecture) in $packages; make it: scripts/package deb"
  for tool in tcpdump curl ping; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  export DEBIAN_FRONTEND=noninteractive
  if [[ ${TAPMESH_OFFLINE:-0} == 1 ]]; then
    (( ${#missing[@]} == 0 )) || die "offline, and the box lacks: ${missing[*]}"
    dpkg -i "$packages"/*_"$(dpkg --print-architecture)".deb >/dev/null ||
      die "dpkg could not install what is in $packages, see above"
  else
    apt-get -qq update
    apt-get -qq -y install --no-install-recommends tcpdump curl iputils-ping libpcap0.8 \
      "$package" >/dev/null
  fi
}

start_daemon() {
  printf 'node:\n  name: %s\nunderlay:\n  address: %s\n' "$name" "$address" >"$config"
  systemctl enable --quiet tapmesh
  systemctl restart tapmesh || die "the daemon did not start: $(journalctl -u tapmesh -n 5 -o cat)"
  keep_trying "$daemon_seconds" tapmesh status || die "the daemon does not answer: $said"
}

# The others get the token from a socket of systemd, from the lab's own network only. Whoever is in
# that network may join: this is for a lab, and for nothing else.
begin_cluster() {
  local units=/etc/systemd/system
  cat >$units/tapmesh-lab-token.socket <<UNIT
[Socket]
ListenStream=$address:$token_port
FreeBind=yes
Accept=yes
IPAddressDeny=any
IPAddressAllow=$address/24
[Install]
WantedBy=sockets.target
UNIT
  cat >$units/tapmesh-lab-token@.service <<'UNIT'
[Service]
ExecStart=/usr/bin/tapmesh join-token -q manager
StandardOutput=socket
UNIT
  systemctl daemon-reload
  systemctl enable --quiet --now tapmesh-lab-token.socket
  # Last, because a node that is in a cluster is taken for done.
  tapmesh init --cluster lab >/dev/null
}

ask_token() {
  local token
  token=$(timeout 10 bash -c "cat <>/dev/tcp/$first_address/$token_port" 2>/dev/null) || true
  [[ $token == TMTKN-* ]] || { echo "no token from $first ($first_address)"; return 1; }
  printf '%s' "$token"
}

join_once() {
  local token
  token=$(ask_token) || { printf '%s' "$token"; return 1; }
  printf '%s' "$token" | tapmesh join --token-file - "$first_address:$mesh_port"
}

join_cluster() {
  keep_trying "$join_seconds" join_once ||
    die "could not join the cluster of $first within $join_seconds s: $said"
}

main
