package searchtest_test

import (
	"testing"

	"kakusho/search"
	"kakusho/search/searchtest"
)

func TestModel(t *testing.T) {
	searchtest.Run(t, func(*testing.T) search.Engine { return &searchtest.Model{} })
}
