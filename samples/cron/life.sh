#!/bin/sh
# Two nights of a job in little more than its own time: 20,000 tickets of which some have a right
# answer, a first night that is killed twice (SIGKILL), and a second one with a changed input. What cron
# would mail lies in OUT/mails, the reports beside the answers.
#
#   life.sh FOLDER_OF_LLMBATCH OUT [rows]
set -eu
bin=$(cd "$1" && pwd)
mkdir -p "$2/mails"
out=$(cd "$2" && pwd)
rows=${3:-20000}
here=$(cd "$(dirname "$0")" && pwd)
PATH=$bin:$PATH
MAILER=$out/mailer
MAIL_ALWAYS=1
MAILTO=you
export PATH MAILER MAIL_ALWAYS MAILTO

cat >"$MAILER" <<'END'
#!/bin/sh
folder=$(dirname "$0")/mails
{
    echo "Subject: $2"
    echo "To: $3"
    echo
    cat
} >"$folder/$(ls "$folder" | wc -l | tr -d ' ').txt"
END
chmod +x "$MAILER"

night() {
    "$here/nightly.sh" "$here/night.toml" "$out/answers.jsonl" --input "$out/tickets.csv" \
        --eval-gold "$out/gold.csv" --report "$out/report.html" --deadline 24h || echo "exit code $?"
}

# Kills the run, engine and all, once so many rows are done.
kill_at() {
    night &
    night=$!
    while kill -0 $night 2>/dev/null; do
        sleep 1
        done=$(status rows_done)
        if [ "${done:-0}" -ge "$1" ]; then
            echo "killing the run at $done rows"
            kill -9 "$(status pid)"
            break
        fi
    done
    wait
}

# A number of the live view.
status() {
    llmbatch status "$out/answers.jsonl" --format json 2>/dev/null |
        sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" | head -n 1
}

python "$here/days.py" first "$out" "$rows"
kill_at $((rows / 4))
kill_at $((rows / 2))
night
echo "the second night: some rows are new, some have changed"
python "$here/days.py" next "$out"
night
ls "$out/mails"
