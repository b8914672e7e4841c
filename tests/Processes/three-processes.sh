#!/usr/bin/env bash
# Three servers as processes of this machine, found in PostgreSQL, killed and frozen one at a time while 64 writers write and readers read.
# README.md beside this file says what it needs, what it starts, and what it shows.
set -euo pipefail

usage() {
  cat <<'USAGE'
three-processes.sh --orleans-sql DIR [--rounds N] [--writers N] [--per-second N] [--gap-ms N] [--freeze-seconds N]
                   [--dead-rounds N] [--dead-seconds N] [--folder DIR] [--programs DIR] [--port N]
  --orleans-sql DIR  where PostgreSQL-Main.sql and PostgreSQL-Clustering.sql of Orleans are, in DIR or below it
  --rounds N         how many processes are killed or frozen, in turn [20]
  --writers N        how many writers write meanwhile [64]
  --per-second N     how many writes they begin in a second [500]
  --gap-ms N         the longest that any one writer may wait for an acknowledgement in a round, and all together while the cluster grows [5000]
  --freeze-seconds N how long a process is frozen [20]
  --dead-rounds N    how many rounds follow in which a process is frozen until Orleans has declared it dead [1]
  --dead-seconds N   how long that may take [300]
  --folder DIR       where everything is kept meanwhile [a new temporary folder, deleted where all went well]
  --programs DIR     the folder of the built programs [artifacts/bin/Orleans/Watch.ClientApp/debug]
  --port N           the first of seven ports [42100]
USAGE
}

sql="" rounds=20 writers=64 per_second=500 gap_ms=5000 freeze_seconds=20 dead_rounds=1 dead_seconds=300 folder="" port=42100
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
programs="$root/artifacts/bin/Orleans/Watch.ClientApp/debug"
while [ $# -gt 0 ]; do
  case "$1" in
    --orleans-sql) sql=$2; shift 2 ;;
    --rounds) rounds=$2; shift 2 ;;
    --writers) writers=$2; shift 2 ;;
    --per-second) per_second=$2; shift 2 ;;
    --gap-ms) gap_ms=$2; shift 2 ;;
    --freeze-seconds) freeze_seconds=$2; shift 2 ;;
    --dead-rounds) dead_rounds=$2; shift 2 ;;
    --dead-seconds) dead_seconds=$2; shift 2 ;;
    --folder) folder=$2; shift 2 ;;
    --programs) programs=$2; shift 2 ;;
    --port) port=$2; shift 2 ;;
    --help) usage; exit 0 ;;
    *) echo "unknown: $1" >&2; usage >&2; exit 2 ;;
  esac
done
fail() { echo "three-processes: $*" >&2; exit 1; }
[ -n "$sql" ] || { usage >&2; exit 2; }
[ -f "$programs/watch.dll" ] || fail "there is no watch.dll in $programs; build with the Orleans engine first, or name the folder with --programs"
pg=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1 || true)
[ -n "$pg" ] || fail "PostgreSQL is not installed (Debian: apt-get install postgresql)"
find_sql() { find "$sql" -name "$1" -not -path '*/Migrations/*' | head -1; }
main_sql=$(find_sql PostgreSQL-Main.sql) clustering_sql=$(find_sql PostgreSQL-Clustering.sql)
cleanup_sql=$(find "$sql" -name 'PostgreSQL-Clustering-3.7.0.sql' | head -1)
[ -n "$main_sql" ] && [ -n "$clustering_sql" ] || fail "PostgreSQL-Main.sql and PostgreSQL-Clustering.sql are not below $sql"

keep=yes
[ -n "$folder" ] || { folder=$(mktemp -d /tmp/watch-processes-XXXXXX); keep=no; }
mkdir -p "$folder"
chmod 755 "$folder"
pg_port=$port
declare -A pid=()
load_pid=""
good=no

# PostgreSQL refuses to run as root.
as_postgres() {
  if [ "$(id -u)" -eq 0 ]; then
    local user=postgres
    getent passwd postgres >/dev/null || user=nobody
    setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups -- "$@"
  else
    "$@"
  fi
}

end() {
  for each in $load_pid "${pid[@]}"; do
    kill -CONT "$each" 2>/dev/null || true
    kill -9 "$each" 2>/dev/null || true
    wait "$each" 2>/dev/null || true
  done
  [ ! -d "$folder/postgres" ] || (cd / && as_postgres "$pg/pg_ctl" -D "$folder/postgres" -m immediate stop >/dev/null 2>&1) || true
  if [ "$good" = yes ] && [ "$keep" = no ]; then rm -rf "$folder"; else echo "kept: $folder"; fi
}
trap end EXIT

start_postgres() {
  mkdir "$folder/postgres"
  [ "$(id -u)" -ne 0 ] || chown "$(as_postgres id -u)" "$folder/postgres"
  (cd / && as_postgres "$pg/initdb" -D "$folder/postgres" -U watch --auth=trust --no-sync >"$folder/postgres.log" 2>&1)
  (cd / && as_postgres "$pg/pg_ctl" -D "$folder/postgres" -w -l "$folder/postgres/server.log" \
    -o "-p $pg_port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$folder/postgres" start >>"$folder/postgres.log" 2>&1)
  run_sql() { "$pg/psql" -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$pg_port" -U watch "$@" >>"$folder/postgres.log" 2>&1; }
  run_sql -d postgres -c 'CREATE DATABASE watch'
  run_sql -d watch -f "$main_sql" -f "$clustering_sql"
  [ -z "$cleanup_sql" ] || run_sql -d watch -f "$cleanup_sql"
}

silo_port() { echo $((port + 2 * $1 - 1)); }
gateway_port() { echo $((port + 2 * $1)); }

# Starts server N and waits for its ready line.
start_server() {
  local n=$1 out="$folder/node$1.out"
  : >"$out"
  env 'Logging__LogLevel__Watch.Grains=Information' 'Logging__Console__FormatterOptions__TimestampFormat=HH:mm:ss.fff ' \
  WATCH_CLUSTERING=AdoNet WATCH_BOOTSTRAP=node1 \
  WATCH_ADONETCONNECTIONSTRING="Host=127.0.0.1;Port=$pg_port;Database=watch;Username=watch" \
    dotnet "$programs/Watch.Silo.dll" --node "node$n" --data "$folder/data$n" \
      --silo-port "$(silo_port "$n")" --gateway-port "$(gateway_port "$n")" >"$out" 2>>"$folder/node$n.log" &
  pid[$n]=$!
  local waited=0
  until grep -q 'watch: ready' "$out"; do
    kill -0 "${pid[$n]}" 2>/dev/null || fail "server $n ended while it started: $(tail -3 "$folder/node$n.log")"
    waited=$((waited + 1)); [ $waited -lt 600 ] || fail "server $n was not ready within a minute"
    sleep 0.1
  done
}

gateways="127.0.0.1:$(gateway_port 1),127.0.0.1:$(gateway_port 2),127.0.0.1:$(gateway_port 3)"
watch() { dotnet "$programs/watch.dll" --connect "${connect:-$gateways}" "$@"; }
now_ms() { date +%s%3N; }

# Which server leads the default bucket: its number.
leader() {
  watch node list --output json 2>/dev/null |
    sed -n 's/.*"name":"node\([0-9]\)".*"group":"default","role":"leader".*/\1/p' | head -1
}

# Until all three are members, answer, and lack less than a thousand entries. A process that ended itself is started again.
await_all() {
  local waited=0 n
  while true; do
    for n in 1 2 3; do
      kill -0 "${pid[$n]}" 2>/dev/null || { ended=$((ended + 1)); start_server "$n"; }
    done
    [ "$(watch node list --output json 2>/dev/null | grep '"standing":"member","reachable":true' | grep -vc '"lag":[0-9]\{4,\}')" = 3 ] && return
    waited=$((waited + 1)); [ $waited -lt 90 ] || fail "the three nodes did not come together again"
    sleep 1
  done
}

# The number of a node: its folder's, whatever its process.
node_id() {
  watch node list --output json | sed -n "s/.*\"name\":\"node$1\",\"id\":\"\([0-9a-f]*\)\".*/\1/p" | head -1
}

# What Orleans' table says of the newest process of server N; 3 is active, 6 dead.
membership_status() {
  "$pg/psql" -At -h 127.0.0.1 -p "$pg_port" -U watch -d watch \
    -c "SELECT status FROM orleansmembershiptable WHERE port = $(silo_port "$1") ORDER BY generation DESC LIMIT 1"
}

# Freezes server N until the others have declared it dead, and no longer; then it has to end by itself, and to come back with its folder.
freeze_until_dead() {
  local n=$1 frozen code=0 waited=0 id logged said
  id=$(node_id "$n")
  [ -n "$id" ] || fail "the number of node$n is not known"
  # The log goes on over restarts: what was said before this is no answer.
  logged=$(stat -c %s "$folder/node$n.log")
  frozen=$(now_ms)
  kill -STOP "${pid[$n]}"
  until [ "$(membership_status "$n")" = 6 ]; do
    waited=$((waited + 1)); [ $waited -lt "$dead_seconds" ] || fail "Orleans did not declare node$n dead within $dead_seconds s"
    sleep 1
  done
  notes+=("node$n was declared dead $((($(now_ms) - frozen) / 1000)) s after it was frozen, and went on")
  frozen=$(now_ms)
  kill -CONT "${pid[$n]}"
  for ((waited = 0; waited < 600; waited++)); do
    kill -0 "${pid[$n]}" 2>/dev/null || break
    sleep 0.1
  done
  [ $waited -lt 600 ] || fail "node$n was declared dead and did not end itself within a minute"
  wait "${pid[$n]}" || code=$?
  said=$(tail -c +$((logged + 1)) "$folder/node$n.log" | grep '^watch: ' | tail -1 || true)
  notes+=("it ended itself $(($(now_ms) - frozen)) ms later with exit code $code: $said")
  [ "$code" -eq 1 ] || fail "node$n ended with exit code $code, and said: $said"
  case "$said" in
    'watch: The other silos have declared this one dead'*"Orleans' reason: I should be Dead"*) ;;
    *) fail "node$n did not say why it ended, but: $said" ;;
  esac
  ended=$((ended + 1))
  start_server "$n"
  await_all
  [ "$(node_id "$n")" = "$id" ] || fail "node$n came back as another node"
  notes+=("started again, it is the same node ($id), a member, and caught up $(($(now_ms) - frozen)) ms after it went on")
}

# The longest time without an acknowledgement between two moments: of all writers together, and of the one that waited longest.
gaps() {
  awk -v from="$1" -v to="$2" '
    function longer(gap) { if (gap > all) all = gap }
    function longest(gap) { if (gap > one) one = gap }
    BEGIN { last = from }
    $1 == "a" || $1 == "u" || $1 == "f" { writers[$3] }
    $1 == "a" && $2 >= from && $2 <= to {
      longer($2 - last); last = $2
      longest($2 - ($3 in seen ? seen[$3] : from)); seen[$3] = $2
      count++
    }
    END {
      longer(to - last)
      for (w in writers) longest(to - (w in seen ? seen[w] : from))
      print all, one, count + 0
    }' "$folder/record"
}

start_postgres
echo "PostgreSQL on 127.0.0.1:$pg_port (folder $folder/postgres)"
ended=0
start_server 1
start_server 2
start_server 3
echo "three servers, gateways $gateways; the cluster is born on node1"
dotnet "$programs/watch.dll" --connect "$gateways" load --writers "$writers" --per-second "$per_second" --record "$folder/record" \
  >"$folder/load.out" 2>"$folder/load.log" &
load_pid=$!
until [ -s "$folder/record" ]; do
  kill -0 "$load_pid" 2>/dev/null || fail "the load ended: $(cat "$folder/load.log")"
  sleep 0.2
done
began=$(now_ms)
watch node add node2
watch node add node3
read -r all one count <<<"$(gaps "$began" "$(now_ms)")"
echo "from one node to three under load: $count writes acknowledged meanwhile, longest gap $all ms"
[ "$all" -le "$gap_ms" ] || fail "growing held the writers up for $all ms"

worst=0 bad=0
printf '%5s  %-6s  %-14s  %14s  %16s  %12s\n' round what whom 'gap ms (all)' 'gap ms (worst one)' acknowledged
notes=()
for ((round = 1; round <= rounds + dead_rounds; round++)); do
  await_all
  lead=$(leader)
  [ -n "$lead" ] || fail "nobody is known to lead before round $round"
  # Two rounds of four meet the leader, one by each way; the others meet somebody else.
  if [ $((round % 4)) -lt 2 ]; then target=$lead; who=leader; else target=$((lead % 3 + 1)); who=follower; fi
  began=$(now_ms)
  if [ "$round" -gt "$rounds" ]; then
    what=dead
    freeze_until_dead "$target"
  elif [ $((round % 2)) -eq 1 ]; then
    what=kill
    kill -9 "${pid[$target]}"
    wait "${pid[$target]}" 2>/dev/null || true
    sleep 10
    start_server "$target"
  else
    what=freeze
    kill -STOP "${pid[$target]}"
    sleep "$freeze_seconds"
    kill -CONT "${pid[$target]}"
  fi
  await_all
  read -r all one count <<<"$(gaps "$began" "$(now_ms)")"
  printf '%5d  %-6s  %-14s  %14d  %16d  %12d\n' "$round" "$what" "node$target $who" "$all" "$one" "$count"
  [ ${#notes[@]} -eq 0 ] || printf '       %s\n' "${notes[@]}"
  notes=()
  [ "$one" -le "$worst" ] || worst=$one
  [ "$one" -le "$gap_ms" ] || bad=$((bad + 1))
done

kill -TERM "$load_pid"
wait "$load_pid" || fail "the load failed: $(cat "$folder/load.log")"
load_pid=""
cat "$folder/load.out"
watch load verify "$folder/record" || fail "the record does not hold"
echo "$((rounds + dead_rounds)) rounds, longest wait of any writer $worst ms; processes that Orleans had declared dead and that ended themselves: $ended"
[ "$bad" -eq 0 ] || fail "in $bad rounds a writer waited more than $gap_ms ms"
good=yes
