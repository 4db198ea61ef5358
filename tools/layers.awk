# Lists every #include that points up the layers, and fails if there is one. A folder includes itself and what stands
# before it; files of src/ itself are the library's face, above all but cli.
BEGIN {
    split("base diag tensor kernel whole syntax recipe solve program opt exec mecha cli", order, " ")
    for (i in order) rank[order[i]] = i + 0
}
/^#include "/ {
    split($0, quoted, "\"")
    target = layer(quoted[2])
    own = layer(substr(FILENAME, 5))
    if (target in rank && own in rank) {
        up = rank[target] > rank[own]
        around = own == "cli" && target != "cli" && target != "mecha" && target != "base" && target != "diag"
        if (up || around) {
            printf "%s:%d: %s may not include %s\n", FILENAME, FNR, own, quoted[2]
            failed = 1
        }
    }
}
function layer(path, parts) {
    return split(path, parts, "/") > 1 ? parts[1] : "mecha"
}
END { exit failed }
