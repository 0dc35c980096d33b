//go:build pinned

// Package pinned keeps go.mod at what is built from it.
package pinned

import (
	_ "github.com/yannh/kubeconform/cmd/kubeconform"
	_ "helm.sh/helm/v3/cmd/helm"
)
