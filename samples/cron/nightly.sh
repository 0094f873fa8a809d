#!/bin/sh
# One night of a job, for cron: works until all is done or the morning comes, keeps a log, and
# sends a mail when somebody should look. See README.md.
#
#   nightly.sh JOB.toml OUTPUT [further flags of llmbatch run]
#
# MAILTO: who gets the mail (cron sets it; default: the user). MAILER: what sends it (default:
# mail), called as `MAILER -s SUBJECT WHO` with the text on standard input. MAIL_ALWAYS: if it is set,
# a night in which all is well is mailed, too.
set -u

if [ $# -lt 2 ]; then
    echo "usage: nightly.sh JOB.toml OUTPUT [further flags of llmbatch run]" >&2
    exit 2
fi
job=$1
output=$2
shift 2
errors=${output%.*}.errors.jsonl
log=${output%.*}.log

note() {
    echo "$(date '+%Y-%m-%d %H:%M:%S') nightly: $1" >>"$log"
}

# The first lines of the report, what has changed since the last run, and how the gold rows are answered.
summary() {
    llmbatch report "$output" 2>/dev/null | awk '
        /^  answers / { rest = 1 }
        !rest { print }
        /^  changed / { print; on = 1; next }
        on && /^              / { print; next }
        { on = 0 }'
    awk '
        / nightly: begin$/ { gold = "" }
        /^llmbatch: gold: .* gold rows?$/ { gold = substr($0, 17) }
        END { if (gold) print "  gold        " gold }' "$log"
}

# The text is the given lines, the first lines of the report, and the end of the log.
mail_about() {
    {
        printf '%s\n\n' "$2"
        summary
        printf '\n%s\n' "The end of $log:"
        tail -n 40 "$log"
    } | ${MAILER:-mail} -s "llmbatch $output: $1" "${MAILTO:-$(id -un)}" >>"$log" 2>&1 ||
        note "the mail could not be sent: $1"
}

if ! true >>"$log"; then
    echo "nightly.sh: $log cannot be written; nothing was run" >&2
    exit 2
fi
note "begin"
# A flag that comes twice counts as given last, so further flags win.
llmbatch run "$job" -o "$output" --deadline 06:00 --if-locked fail \
    --log-json "${output%.*}.events.jsonl" "$@" >>"$log" 2>&1
code=$?
note "end, exit code $code"

case $code in
0)
    test -z "${MAIL_ALWAYS:-}" ||
        mail_about "all is well" "Every row is answered. What the rules and signs flagged, and what has changed, stands below."
    ;;
3)
    lost=$(grep -c '' "$errors" 2>/dev/null)
    if [ "${lost:-0}" -gt 0 ]; then
        mail_about "$lost rows without an answer" \
            "Finished. These rows, each with its reason, are in $errors"
    else
        mail_about "answered, and not as usual" \
            "Finished, and the answers are in $output. A limit of the job was passed: see below."
    fi
    ;;
6)
    mail_about "the gold rows were not answered well enough" \
        "The other rows were not run, and nothing was paid for them. Yesterday's output is as it was."
    ;;
4 | 129 | 130 | 143)
    mail_about "stopped with work left" \
        "Nothing is lost: the next night goes on where this one stopped."
    ;;
5)
    mail_about "the engine failed" \
        "What was answered is kept, and the next night tries again. Look at the engine's own log:
${output%.*}.llmbatch/run.log"
    ;;
137)
    mail_about "the run was killed" \
        "By hand, or because the machine had no memory left. Nothing that was committed is lost: the
next night goes on where this one stopped."
    ;;
75)
    note "the night before, or another job on the device, is still at work: nothing to do"
    ;;
*)
    mail_about "failed with exit code $code" \
        "Until somebody mends this, every night will fail in the same way."
    ;;
esac
exit $code
