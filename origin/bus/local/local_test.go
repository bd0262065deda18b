package local_test

import (
	"testing"

	"landfall/origin/bus/local"
	"landfall/origin/chat"
	"landfall/origin/chat/chattest"
)

func TestBus(t *testing.T) {
	chattest.BusSuite(t, func(*testing.T) (chat.Bus, func()) { return new(local.Bus), func() {} })
}
