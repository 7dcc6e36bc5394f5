#!/bin/sh
# Runs the tests beside it and prints KTAP. The options are those of the kernel's script of this name.
# It needs a POSIX shell with cat, dirname and sleep. With setsid, a test that hangs is killed with all it started.

usage()
{
	cat <<EOF
usage: $0 [OPTIONS]
  -c, --collection NAME        run the tests of this collection
  -t, --test COLLECTION:TEST   run this test
  -S, --skip COLLECTION:TEST   leave this test out
  -l, --list                   show the tests and run none
  -d, --dry-run                show what would run
  -s, --summary                results only; the tests' output goes to output.log
  -p, --per-test-log DIR       results only; the tests' output goes to DIR, one file a test
  -o, --override-timeout N     kill each test after N seconds, instead of its own limit
  -f, --no-error-on-fail       exit with 0 also if a test failed
  -k, --ktap                   nest the tests' own results, in place of comments
  -h, --help                   show this
exit codes: 0 nothing failed, 1 something did, 2 usage error
EOF
}

die()
{
	echo "$0: $1" >&2
	exit 2
}

# Whether file $1 can be written: in a subshell, which a failed redirection of ":" ends.
can_write()
{
	(: >"$1") 2>/dev/null
}

is_in()
{
	case " $2 " in
	*" $1 "*) return 0 ;;
	esac
	return 1
}

# What ends the output of a test; its exit code follows.
mark="kselftest-exit-code"

# Kills process $1 after $2 seconds, and says so by its exit code.
watch()
{
	left=$2
	while [ "$left" -gt 0 ]; do
		sleep 1
		kill -0 "$1" 2>/dev/null || exit 0
		left=$((left - 1))
	done
	trap '' TERM
	kill_test "$1"
	exit 124
}

kill_test()
{
	if [ -n "$setsid" ]; then
		kill -KILL "-$1" 2>/dev/null
	else
		kill -KILL "$1" 2>/dev/null
	fi
}

# Runs ./$1 for at most $2 seconds, and prints the mark and the exit code.
start()
{
	$setsid "./$1" </dev/null &
	pid=$!
	trap 'kill_test "$pid"; exit 130' HUP INT TERM
	watch "$pid" "$2" >/dev/null 2>&1 &
	watch=$!
	wait "$pid" 2>/dev/null
	code=$?
	kill "$watch" 2>/dev/null
	wait "$watch" 2>/dev/null
	[ $? -eq 124 ] && code=124
	kill_test "$pid"
	printf '\n%s %s\n' "$mark" "$code"
}

emit()
{
	if [ -n "$log" ]; then
		printf '%s%s\n' "$prefix" "$1" >>"$log"
	else
		printf '%s%s\n' "$prefix" "$1"
	fi
}

# Ends the documents from level $1 inwards: a test that was killed leaves results open, which readers would look for
# outside.
close_levels()
{
	while [ "$depth" -ge "$1" ]; do
		eval "planned=\$plan_$depth got=\$count_$depth"
		indent=""
		while [ "${#indent}" -lt $((depth * 2)) ]; do
			indent="$indent  "
		done
		if [ -z "$planned" ]; then
			planned=$((got + 1))
			emit "${indent}1..$planned"
		fi
		while [ "$got" -lt "$planned" ]; do
			got=$((got + 1))
			broken="not all of the planned results came"
			emit "${indent}not ok $got (unfinished)"
		done
		depth=$((depth - 1))
	done
}

# Follows the levels of nested documents.
follow()
{
	text=$1
	level=0
	while [ "${text#  }" != "$text" ]; do
		text=${text#  }
		level=$((level + 1))
	done
	case $text in
	"KTAP version 1")
		depth=$level
		eval "plan_$level= count_$level=0"
		;;
	1..[0-9]*)
		[ "$level" -le "$depth" ] || return
		planned=${text#1..}
		case $planned in
		*"# SKIP "*) [ "$level" -eq 0 ] && reason=${planned#*# SKIP } ;;
		esac
		planned=${planned%% *}
		# Only digits, and few, may become code.
		case $planned in
		*[!0-9]* | ???????*)
			broken="a plan is no number"
			return
			;;
		esac
		eval "plan_$level=$planned"
		;;
	"ok "* | "not ok "*)
		[ "$level" -le "$depth" ] || return
		[ "$level" -lt "$depth" ] && close_levels "$((level + 1))"
		eval "count_$level=\$((count_$level + 1))"
		;;
	esac
}

# Relays a test's output up to the mark, prints the result, and returns kselftest's code for it.
relay()
{
	depth=-1
	reason="all of it"
	broken=""
	status=1
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
		"") continue ;;
		"$mark "*)
			status=${line#"$mark "}
			break
			;;
		esac
		[ "$kind" = test ] && follow "$line"
		emit "$line"
	done
	close_levels 0
	[ -n "$broken" ] && case $status in
	0 | 2 | 4)
		echo "not ok $number $name # ERROR $broken"
		return 1
		;;
	esac
	case $status in
	0) echo "ok $number $name" ;;
	2) echo "ok $number $name # XFAIL see above" ;;
	3) echo "not ok $number $name # XPASS see above" ;;
	4) echo "ok $number $name # SKIP $reason" ;;
	124)
		echo "not ok $number $name # TIMEOUT $seconds seconds"
		return 1
		;;
	*)
		echo "not ok $number $name # exit=$status"
		return 1
		;;
	esac
	return "$status"
}

# Finds the seconds that a test may take, and how its output is read.
look_up()
{
	seconds=60
	kind=test
	[ -r "$collection/runs" ] || return
	while read -r its_seconds its_kind its_name; do
		if [ "$its_name" = "$1" ]; then
			seconds=$its_seconds
			kind=$its_kind
		fi
	done <"$collection/runs"
}

run_one()
{
	collection=${1%%:*}
	file=${1#*:}
	name="selftests: $collection: $file"
	look_up "$file"
	[ -n "$limit" ] && seconds=$limit
	case $nested$kind in
	yestest) prefix="  " ;;
	yes*) prefix="  # " ;;
	*) prefix="# " ;;
	esac
	[ -n "$logs" ] && log=$logs/$file && : >"$log"
	if [ -z "$nested" ]; then
		echo "# timeout set to $seconds"
		echo "# $name"
	fi
	(cd "$collection" && start "$file" "$seconds") 2>&1 | relay
}

base=$(cd "$(dirname "$0")" && pwd -P) || exit 1
here=$PWD
cd "$base" || exit 1
set -f
[ -r kselftest-list.txt ] || die "there is no kselftest-list.txt beside it"
list=$(echo $(cat kselftest-list.txt))
collections="" tests="" skipped="" limit="" nested="" logs="" dry="" log=""
error_on_fail=1
while [ $# -gt 0 ]; do
	case $1 in
	-c | --collection | -t | --test | -S | --skip | -p | --per-test-log | -o | --override-timeout)
		[ $# -ge 2 ] || die "$1 needs a word more"
		;;
	esac
	case $1 in
	-c | --collection) collections="$collections $2" && shift ;;
	-t | --test) tests="$tests $2" && shift ;;
	-S | --skip) skipped="$skipped $2" && shift ;;
	-o | --override-timeout) limit=$2 && shift ;;
	-p | --per-test-log) logs=$2 && shift ;;
	-s | --summary) log=$base/output.log ;;
	-d | --dry-run) dry=1 ;;
	-f | --no-error-on-fail) error_on_fail="" ;;
	-k | --ktap) nested=yes ;;
	-l | --list)
		cat kselftest-list.txt
		exit 0
		;;
	-h | --help)
		usage
		exit 0
		;;
	-*) die "there is no option $1: --help shows all" ;;
	*) die "a test is chosen by --test COLLECTION:TEST, not by '$1': --list shows all" ;;
	esac
	shift
done
case $limit in
*[!0-9]*) die "--override-timeout takes seconds, not '$limit'" ;;
esac
case $logs in
"" | /*) ;;
*) logs=$here/$logs ;;
esac
[ -z "$logs" ] || [ -d "$logs" ] || die "$logs is not a directory"
[ -z "$logs" ] || [ -w "$logs" ] || die "cannot write into $logs, where --per-test-log puts the tests' output"
for test in $tests $skipped; do
	is_in "$test" "$list" || die "no such test '$test': --list shows all"
done
for collection in $collections; do
	case " $list" in
	*" $collection:"*) ;;
	*) die "no such collection '$collection'" ;;
	esac
done
chosen=""
for test in $list; do
	is_in "$test" "$skipped" && continue
	if [ -z "$collections$tests" ] || is_in "${test%%:*}" "$collections" || is_in "$test" "$tests"; then
		chosen="$chosen $test"
	fi
done
[ -z "$log" ] || can_write "$log" ||
	die "cannot write $log, where --summary puts the tests' output: --per-test-log DIR puts it elsewhere"
setsid=$(command -v setsid)

set -- $chosen
if [ -n "$dry" ]; then
	for test; do
		echo "$base/${test%%:*}/${test#*:}"
	done
	exit 0
fi
echo "KTAP version 1"
echo "1..$#"
number=0 pass=0 fail=0 xfail=0 xpass=0 skip=0
for test; do
	number=$((number + 1))
	run_one "$test"
	case $? in
	0) pass=$((pass + 1)) ;;
	2) xfail=$((xfail + 1)) ;;
	3) xpass=$((xpass + 1)) ;;
	4) skip=$((skip + 1)) ;;
	*) fail=$((fail + 1)) ;;
	esac
done
echo "# Totals: pass:$pass fail:$fail xfail:$xfail xpass:$xpass skip:$skip error:0"
[ -z "$error_on_fail" ] || [ $((fail + xpass)) -eq 0 ]
