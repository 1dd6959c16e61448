package postgres

import (
	"embed"
	"fmt"
	"strings"
)

// files has every statement that this package sends, one to a file, so that
// other databases' parsers can be shown them.
//
//go:embed sql
var files embed.FS

// The statements; each file says what it does and what its arguments are.
var (
	sqlConnect       = statement("connect")
	sqlPlanner       = statement("planner")
	sqlWatch         = statement("watch")
	sqlKeepalive     = statement("keepalive")
	sqlAbandoned     = statement("abandoned")
	sqlServer        = statement("server")
	sqlSchemaExists  = statement("schema_exists")
	sqlSchemaVersion = statement("schema_version")
	sqlMigrations    = statement("migrations")

	sqlCheck         = statement("check")
	sqlLock          = statement("lock")
	sqlUnkeep        = statement("unkeep")
	sqlKeep          = statement("keep")
	sqlReplace       = statement("replace")
	sqlCreate        = statement("create")
	sqlVacate        = statement("vacate")
	sqlDelete        = statement("delete")
	sqlDeleteHistory = statement("delete_history")
	sqlForget        = statement("forget")

	sqlPruneLock    = statement("prune_lock")
	sqlPruneSpan    = statement("prune_span")
	sqlPruneExpired = statement("prune_expired")
	sqlPruneExcess  = statement("prune_excess")
	sqlPruneCount   = statement("prune_count")

	sqlStates       = statement("states")
	sqlRead         = statement("read")
	sqlTime         = statement("time")
	sqlList         = statement("list")
	sqlListKeys     = statement("list_keys")
	sqlListBack     = statement("list_reverse")
	sqlListKeysBack = statement("list_keys_reverse")
	sqlCount        = statement("count")
	sqlVersions     = statement("versions")
	sqlVersion      = statement("version")
	sqlRangeDelete  = statement("range_delete")
	sqlRangeHistory = statement("range_history")
)

// statement returns the statement of a file, without its comment.
func statement(name string) string {
	text, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(fmt.Sprintf("postgres: %v", err)) // the program was built without it
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "--") {
			b.WriteString(line)
		}
	}
	return strings.TrimSpace(b.String())
}
