package holdfast_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// compose is what matters of compose.yaml.
type compose struct {
	Services map[string]struct {
		Image       string            `yaml:"image"`
		Command     []string          `yaml:"command"`
		Environment map[string]string `yaml:"environment"`
		Ports       []string          `yaml:"ports"`
		Volumes     []string          `yaml:"volumes"`
	} `yaml:"services"`
	Volumes map[string]any `yaml:"volumes"`
}

func readCompose(t *testing.T) (c compose) {
	t.Helper()
	text, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatalf("compose.yaml: %v", err)
	}
	return c
}

func TestCompose(t *testing.T) {
	c := readCompose(t)
	t.Run("StartsPostgreSQLAndNATS", func(t *testing.T) {
		if diff := cmp.Diff([]string{"nats", "postgres"}, slices.Sorted(maps.Keys(c.Services))); diff != "" {
			t.Errorf("services (-want +got):\n%s", diff)
		}
	})
	t.Run("NamesAVersionOfEachImage", func(t *testing.T) {
		version := regexp.MustCompile(`^[a-z]+:[0-9.]+$`)
		for name, s := range c.Services {
			if !version.MatchString(s.Image) {
				t.Errorf("image of %s = %q, want a name and a version", name, s.Image)
			}
		}
	})
	t.Run("ListensOnThisMachineOnly", func(t *testing.T) {
		for name, s := range c.Services {
			for _, port := range s.Ports {
				if !strings.HasPrefix(port, "127.0.0.1:") {
					t.Errorf("%s publishes %q to everybody", name, port)
				}
			}
		}
	})
	t.Run("KeepsTheDataAndTheSyncs", func(t *testing.T) {
		s := c.Services["postgres"]
		if len(s.Volumes) != 1 || !strings.HasSuffix(s.Volumes[0], ":/var/lib/postgresql/data") {
			t.Errorf("volumes of postgres = %q, want its data folder", s.Volumes)
		}
		for _, v := range s.Volumes {
			if name, _, _ := strings.Cut(v, ":"); c.Volumes == nil || !has(c.Volumes, name) {
				t.Errorf("volume %q is not declared", name)
			}
		}
		for _, arg := range s.Command {
			if strings.HasPrefix(arg, "fsync") || strings.HasPrefix(arg, "synchronous_commit") || strings.HasPrefix(arg, "full_page_writes") {
				t.Errorf("postgres is started with %q", arg)
			}
		}
		if p := s.Environment["POSTGRES_PASSWORD"]; !strings.HasPrefix(p, "${HOLDFAST_PASSWORD:?") {
			t.Errorf("the password is %q, want one that must be chosen", p)
		}
	})
}

func has(m map[string]any, key string) bool { _, ok := m[key]; return ok }
