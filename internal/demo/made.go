package demo

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/holdfast-games/holdfast/document"
)

// The parts of which documents are made. There is more in them than ASCII,
// since players' data have it.
var (
	blocks = []string{"stone", "oak_log", "sand", "iron_ore", "glass", "torch", "wheat", "lapis_lazuli", "obsidian", "kelp"}
	mobs   = []string{"zombie", "creeper", "cow", "sheep", "enderman", "bee", "llama", "vex"}
	lore   = []string{"§7Gear Score: §d794", "Für Ælfrida", "勇者の剣", "🗡️ of dawn", "§9Growth V§9, §9Protection V", "«Sévère»", "line\nbreak"}
)

// makeDocument makes a document of about so many bytes, in the shape of a
// player's: statistics, advancements, an inventory.
func makeDocument(rng *rand.Rand, size int) (*document.Document, error) {
	stats, done := make(map[string]any), make(map[string]any)
	var bag []any
	weight := 0
	for i := 0; weight < size-200; i++ {
		switch rng.IntN(3) {
		case 0:
			stats[fmt.Sprintf("mined:%s/%d", blocks[rng.IntN(len(blocks))], i)] = rng.IntN(1 << 20)
			weight += 32
		case 1:
			done[fmt.Sprintf("story/%s_%d", mobs[rng.IntN(len(mobs))], i)] = map[string]any{
				"criteria": map[string]any{"killed": "2026-01-02 15:04:05 +0000"}, "done": rng.IntN(2) == 0,
			}
			weight += 95
		default:
			bag = append(bag, makeStack(rng))
			weight += 150
		}
	}
	text, err := json.Marshal(map[string]any{
		"stats": stats, "advancements": done, "inventory": bag, "DataVersion": 2227 + rng.IntN(1000),
		"position": []float64{rng.Float64() * 1e4, 64, -rng.Float64() * 1e4}, "seed": rng.Uint64(),
	})
	if err != nil {
		return nil, fmt.Errorf("make a document: %w", err)
	}
	return document.Parse(text, nil)
}

func makeStack(rng *rand.Rand) map[string]any {
	return map[string]any{
		"id": rng.IntN(500), "Count": 1 + rng.IntN(64),
		"tag": map[string]any{
			"ench":    []any{map[string]any{"lvl": rng.IntN(6), "id": rng.IntN(70)}},
			"display": map[string]any{"Name": blocks[rng.IntN(len(blocks))], "Lore": []string{lore[rng.IntN(len(lore))]}},
		},
	}
}
