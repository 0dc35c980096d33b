//go:build pinned

// Package pinned keeps go.mod at what is built from it.
package pinned

import _ "go.etcd.io/etcd/server/v3"
