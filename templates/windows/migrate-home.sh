#!/bin/sh
# Copies a home from one WSL distribution to another. Runs as root in both, under any POSIX shell.
#
#   in the old one                             in the new one
#   version         prints the image's version
#   identity USER   prints name:uid:group:gid  accept              keeps the answers for the set-up, from stdin
#   answers USER    for the new one's set-up   setup USER          first-run set-up, where USER is missing
#   measure USER    size of the home in KiB    target USER         prints whose home it is to be
#   contents USER   lists what is in it        room USER KIB       fails unless that much fits
#   send USER       the home as tar, but for   files USER          lists the files that have arrived
#                   the files listed on stdin  receive USER IDENTITY    unpacks tar from stdin beside the home
#                                              place USER          puts it into the home
#                                              finish USER OLD     compares with contents on stdin, notes the end
#                                              noted OLD           fails unless finished
#                                              unchanged OLD       fails unless stdin says what it said then
#
# A copy that was cut goes on where it stopped, file by file. Owners go by name. Where the image put another file,
# the old one takes its place and the image's goes to ~/replaced-by-migration.
set -eu
LC_ALL=C
export LC_ALL
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin${PATH:+:$PATH}

answers=/etc/wslimg/first-run.conf
records=/var/lib/wslimg/migrated
end_of_list='end of list'
newline='
'

main() {
    command=$1
    shift
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    case $command in
        version | identity | answers | measure | contents | send) ;;
        accept | setup | target | room | files | receive | place | finish | noted | unchanged) ;;
        *) fail "there is no command $command" ;;
    esac
    "do_$command" "$@"
}

fail() {
    printf 'migration: %s\n' "$*" >&2
    exit 1
}

# Accounts. WSL itself knows only those in /etc/passwd.

# field TABLE NAME NUMBER: a field of the line of NAME in /etc/TABLE.
field() {
    while IFS= read -r line; do
        case $line in
            "$2":*)
                printf '%s\n' "$line" | cut -d : -f "$3"
                return
                ;;
        esac
    done <"/etc/$1"
}

# name_of TABLE ID
name_of() {
    while IFS=: read -r name _ id _; do
        if [ "$id" = "$2" ]; then
            printf '%s\n' "$name"
            return
        fi
    done <"/etc/$1"
}

find_home() {
    home=$(field passwd "$1" 6)
    [ -n "$home" ] || fail "there is no user $1"
    [ "$home" != / ] || fail "the home of $1 is /"
    [ -d "$home" ] || fail "the home of $1, $home, is not there"
    stage=${home%/*}/.migrating-$1
}

# What wslimg notes in os-release(5); nothing in other images.
do_version() {
    sed -n 's/^IMAGE_VERSION=//p' /etc/os-release 2>/dev/null | tr -d '"'
}

do_identity() {
    uid=$(field passwd "$1" 3)
    gid=$(field passwd "$1" 4)
    [ -n "$uid" ] || fail "there is no user $1"
    printf '%s:%s:%s:%s\n' "$1" "$uid" "$(name_of group "$gid")" "$gid"
}

# For the first-run set-up of images by wslimg: it then asks nothing, and the password stays the same.
do_answers() {
    hash=$(field shadow "$1" 2)
    case $hash in
        '$'*'$'*) ;;
        *) hash='!' ;;
    esac
    printf 'WSLIMG_USER=%s\nWSLIMG_PASSWORD_HASH=%s\n' "$1" "$hash"
}

do_accept() {
    mkdir -p "${answers%/*}"
    (umask 077 && cat >"$answers")
}

# setting KEY: of /etc/wsl-distribution.conf; KEY is a pattern, as WSL does not look at case.
setting() {
    sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" /etc/wsl-distribution.conf 2>/dev/null |
        sed 's/#.*//; s/"//g; s/[[:space:]]*$//' | head -n 1
}

do_setup() {
    set_up=$(setting '[cC][oO][mM][mM][aA][nN][dD]')
    status=0
    if [ -z "$(field passwd "$1" 3)" ] && [ -n "$set_up" ]; then
        /bin/sh -c "$set_up" || status=$?
    fi
    rm -f "$answers"
    [ "$status" -eq 0 ] || fail "the first-run set-up ended with $status"
}

do_target() {
    user=$1
    [ -n "$(field passwd "$user" 3)" ] ||
        user=$(name_of passwd "$(setting '[dD][eE][fF][aA][uU][lL][tT][uU][iI][dD]')")
    [ -n "$user" ] || fail "there is neither a user $1 nor one that the image made: start the distribution once"
    printf '%s\n' "$user"
}

# Sizes in KiB.

do_measure() {
    find_home "$1"
    du -s -k -x "$home" 2>/dev/null | cut -f 1
}

do_room() {
    find_home "$1"
    free=$(df -P -k "${home%/*}/" | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)
    [ "$free" -gt "$2" ] || fail "$2 KiB are needed below ${home%/*}/, $free are free"
}

# Listings. Names with a line break or a backslash would need quoting that tools differ in: they are always sent.

# find_plain TYPE COMMAND...
find_plain() {
    type=$1
    shift
    find . -xdev -type "$type" ! -path "*$newline*" ! -path '*\\*' "$@"
}

list_files() {
    find_plain f -exec stat -c '%s %Y %n' {} +
}

do_files() {
    find_home "$1"
    ! is_gnu_tar || printf 'GNU tar\n'
    for folder in "$home" "$stage"; do
        [ ! -d "$folder" ] || (cd "$folder" && list_files)
    done
}

do_contents() {
    find_home "$1"
    cd "$home"
    list_contents >"$work/contents"
    sort "$work/contents"
    printf '%s\n' "$end_of_list"
}

list_contents() {
    find_plain f -exec sha256sum {} +
    find_plain d -exec printf 'folder %s\n' {} +
    find_plain p -exec printf 'fifo %s\n' {} +
    # shellcheck disable=SC2016 # for the inner shell
    find_plain l -exec sh -c 'for one; do printf "link %s -> %s\n" "$one" "$(readlink "$one")"; done' sh {} +
    find . -xdev ! -type s \( -path "*$newline*" -o -path '*\\*' \) -print0 | tr '\n\0' '?\n'
}

# What two lists of unique lines share, and do not; not every busybox has comm.

# common FILE FILE
common() {
    sort "$1" "$2" | uniq -d
}

# only_in FILE OTHER
only_in() {
    sort "$1" "$2" "$2" | uniq -u
}

# The copy.

is_gnu_tar() {
    case $(tar --version 2>/dev/null) in
        *'GNU tar'*) return 0 ;;
        *) return 1 ;;
    esac
}

do_send() {
    find_home "$1"
    cd "$home"
    sort -u >"$work/theirs"
    list_files >"$work/mine"
    common "$work/mine" "$work/theirs" | cut -d ' ' -f 3- >"$work/known"
    find_plain s >>"$work/known"
    if ! is_gnu_tar; then
        send_plainly
    elif grep -qx 'GNU tar' "$work/theirs"; then
        send_all --sparse --acls --xattrs --xattrs-include='user.*' --xattrs-include='security.capability'
    else
        send_all --format=gnu
    fi
}

send_all() {
    tar -c -f - "$@" --one-file-system --anchored --no-wildcards -X "$work/known" .
}

# Other tars take every line for a pattern: better to send a file again than to leave out another.
send_plainly() {
    grep -v '[][*?\\]' "$work/known" >"$work/patterns" || :
    case $(tar --help 2>&1) in
        *-X*) tar -c -f - -X "$work/patterns" . ;;
        *) tar -c -f - . ;;
    esac
}

# receive USER NAME:UID:GROUP:GID
do_receive() {
    find_home "$1"
    mkdir -p "$stage"
    chmod 700 "$stage"
    cd "$stage"
    if is_gnu_tar; then
        tar -x -p -f - --acls --xattrs --xattrs-include='*'
    else
        tar -x -p -f -
    fi
    chmod 700 "$stage"
    rename_owners "$1" "$2"
}

# Tar gives files to names; a name that is not here leaves its number.
rename_owners() {
    IFS=: read -r old_user old_uid old_group old_gid <<IDENTITY
$2
IDENTITY
    if [ -z "$(field passwd "$old_user" 3)" ]; then
        find . -user "$old_uid" -exec chown -h "$1" {} +
    fi
    if [ -z "$(field group "$old_group" 3)" ]; then
        find . -group "$old_gid" -exec chgrp -h "$(field passwd "$1" 4)" {} +
    fi
}

do_place() {
    find_home "$1"
    [ -d "$stage" ] || return 0
    replaced=$home/replaced-by-migration
    place_folder ''
    rm -rf "$stage"
    if [ -d "$replaced" ]; then
        chown -h -R "$1" "$replaced"
        printf 'Files of the new image that differ from yours are in %s.\n' "$replaced" >&2
    fi
}

# place_folder PATH/: each entry by one rename, unless both sides have a folder there. A subshell: it calls itself.
place_folder() (
    cd "$stage/$1"
    for name in * .[!.]* ..?*; do
        exists "./$name" || continue
        if ! exists "$home/$1$name"; then
            mv "./$name" "$home/$1$name"
        elif is_folder "./$name" && is_folder "$home/$1$name"; then
            place_folder "$1$name/"
            chmod "$(stat -c %a "./$name")" "$home/$1$name"
            touch -r "./$name" "$home/$1$name"
        else
            is_worthless "$home/$1$name" "./$name" "/etc/skel/$1$name" || put_aside "$1$name"
            rm -f "$home/$1$name"
            mv "./$name" "$home/$1$name"
        fi
    done
)

exists() {
    [ -e "$1" ] || [ -L "$1" ]
}

is_folder() {
    [ -d "$1" ] && [ ! -L "$1" ]
}

# is_worthless FILE OTHER...: FILE is the same as one of the others.
is_worthless() {
    file=$1
    shift
    for other; do
        if [ -L "$file" ] && [ -L "$other" ]; then
            [ "$(readlink "$file")" != "$(readlink "$other")" ] || return 0
        elif [ ! -L "$file" ] && [ ! -L "$other" ] && [ -f "$file" ] && [ -f "$other" ]; then
            ! cmp -s "$file" "$other" || return 0
        fi
    done
    return 1
}

put_aside() {
    aside=$replaced/$1
    while exists "$aside"; do
        aside=$aside~
    done
    mkdir -p "${aside%/*}"
    mv "$home/$1" "$aside"
}

# The end.

# finish USER OLD
do_finish() {
    do_contents "$1" >"$work/mine"
    read_contents
    require_none "$(only_in "$work/theirs" "$work/mine")" "are missing: run the migration again"
    mkdir -p "$records"
    (umask 077 && cp "$work/theirs" "$records/$2.part")
    mv "$records/$2.part" "$records/$2"
}

# A list that was cut, or never came, would agree with everything.
read_contents() {
    sort >"$work/theirs"
    grep -qx "$end_of_list" "$work/theirs" || fail "the list of the old home is not complete"
}

# require_none LINES WHAT
require_none() {
    [ -n "$1" ] || return 0
    printf '%s\n' "$1" | head -n 5 >&2
    fail "$(printf '%s\n' "$1" | wc -l) entries, some of them above, $2"
}

do_noted() {
    [ -f "$records/$1" ]
}

do_unchanged() {
    [ -f "$records/$1" ] || fail "nothing was migrated from $1"
    read_contents
    require_none "$(only_in "$work/theirs" "$records/$1")" \
        "have changed in $1 since it was copied: take them over, then delete it by wsl --unregister $1"
}

main "$@"
