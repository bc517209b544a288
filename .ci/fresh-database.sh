#!/bin/bash
# An empty database with its schema, in place of whatever had its name:
#   fresh-database.sh GLANCE-MANAGE make|drop
# OS_DATABASE__CONNECTION names it; what else is on the command line, such as --config-file PATH, is not needed.
set -euo pipefail

manage=${1:?usage: fresh-database.sh GLANCE-MANAGE make|drop}
action=${2:?usage: fresh-database.sh GLANCE-MANAGE make|drop}
url=$OS_DATABASE__CONNECTION
name=${url##*/} server=${url%/*}
address=${server##*@} user=${server#*://}
user=${user%@*} host=${address%:*} port=${address##*:}

sql() {
    case $url in
        mysql*) mysql -h "$host" -P "$port" -u "$user" -e "$1" ;;
        postgres*) psql -q -h "$host" -p "$port" -U "$user" -c "$1" postgres ;;
    esac
}

force=
case $url in postgres*) force=' WITH (FORCE)' ;; esac
sql "DROP DATABASE IF EXISTS $name$force" 2> /dev/null
if [ "$action" = make ]; then
    sql "CREATE DATABASE $name"
    "$manage" db sync > /dev/null
fi
