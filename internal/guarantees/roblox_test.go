package guarantees

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// comingFromRoblox is docs/coming-from-roblox.md.
const comingFromRoblox = "../../docs/coming-from-roblox.md"

// exportedName is package.Name or package.Type.Member, as the document writes it.
var exportedName = regexp.MustCompile(`^([a-z]+)\.([A-Z]\w*)(?:\.([A-Z]\w*))?$`)

// named is what a package offers by name.
type named struct {
	all     map[string]bool     // functions, types, constants and variables
	members map[string][]string // fields and methods, by type
	embeds  map[string][]string // types embedded in a type
}

// has reports whether the package has the name and, unless it is empty, the type
// of that name the member, its own or an embedded type's.
func (n *named) has(name, member string) bool {
	if n == nil || member == "" {
		return n != nil && n.all[name]
	}
	return slices.Contains(n.members[name], member) ||
		slices.ContainsFunc(n.embeds[name], func(e string) bool { return n.has(e, member) })
}

// read notes what a file declares.
func (n *named) read(f *ast.File) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				n.all[d.Name.Name] = true
			} else if t := baseName(d.Recv.List[0].Type); t != "" {
				n.members[t] = append(n.members[t], d.Name.Name)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				n.readSpec(s)
			}
		}
	}
}

func (n *named) readSpec(s ast.Spec) {
	switch s := s.(type) {
	case *ast.ValueSpec:
		for _, name := range s.Names {
			n.all[name.Name] = true
		}
	case *ast.TypeSpec:
		n.all[s.Name.Name] = true
		var fields *ast.FieldList
		switch t := s.Type.(type) {
		case *ast.StructType:
			fields = t.Fields
		case *ast.InterfaceType:
			fields = t.Methods
		default:
			return
		}
		for _, f := range fields.List {
			for _, name := range f.Names {
				n.members[s.Name.Name] = append(n.members[s.Name.Name], name.Name)
			}
			if e := baseName(f.Type); len(f.Names) == 0 && e != "" {
				n.embeds[s.Name.Name] = append(n.embeds[s.Name.Name], e)
			}
		}
	}
}

// baseName is the name of a type of the same package, without pointers and type
// arguments.
func baseName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return baseName(e.X)
	case *ast.IndexExpr:
		return baseName(e.X)
	case *ast.IndexListExpr:
		return baseName(e.X)
	}
	return ""
}

// readNames returns what the module's public packages offer, by package.
func readNames(t *testing.T) map[string]*named {
	t.Helper()
	found := make(map[string]*named)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "../.." && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"internal", "cmd", "examples", "testdata"}, d.Name())) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		n := found[f.Name.Name]
		if n == nil {
			n = &named{make(map[string]bool), make(map[string][]string), make(map[string][]string)}
			found[f.Name.Name] = n
		}
		n.read(f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// readCommands returns the names of the commands of holdfast.
func readCommands(t *testing.T) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../../cmd/holdfast/main.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(f, func(n ast.Node) bool {
		if f, ok := n.(*ast.Field); ok && f.Tag != nil && strings.Contains(f.Tag.Value, "cmd:") {
			names = append(names, strings.ToLower(f.Names[0].Name))
		}
		return true
	})
	return names
}

func TestEveryNameThatReplacesOneOfRobloxExists(t *testing.T) {
	text, err := os.ReadFile(comingFromRoblox)
	if err != nil {
		t.Fatal(err)
	}
	names, commands := readNames(t), readCommands(t)
	checked := 0
	for line := range strings.Lines(string(text)) {
		for _, m := range quoted.FindAllStringSubmatch(line, -1) {
			if why := missingName(names, commands, m[1]); why != "" {
				t.Errorf("%s, in %q", why, strings.TrimSpace(line))
			} else if exportedName.MatchString(m[1]) {
				checked++
			}
		}
	}
	if checked < 150 {
		t.Errorf("%d names were checked: was the document's form changed?", checked)
	}
}

// missingName says what of a name in the document does not exist. What looks like
// no name of Holdfast's is not judged.
func missingName(names map[string]*named, commands []string, text string) string {
	if command, ok := strings.CutPrefix(text, "holdfast "); ok {
		if name, _, _ := strings.Cut(command, " "); !slices.Contains(commands, name) {
			return "there is no command " + text
		}
		return ""
	}
	if m := exportedName.FindStringSubmatch(text); m != nil && m[1] != "context" && !names[m[1]].has(m[2], m[3]) {
		return "there is no " + text
	}
	return ""
}

func TestAMissingNameIsNoticed(t *testing.T) {
	names, commands := readNames(t), readCommands(t)
	for text, there := range map[string]bool{
		"store.New": true, "store.Store.Get": true, "store.Entry.Meta": true, "driver.DB.Commit": true, "profile.MapField.Clear": true, "holdfast import --from x": true,
		"store.Old": false, "store.Store.Fetch": false, "nowhere.New": false, "profile.MapField.Fly": false, "holdfast fly": false,
		"--from": true, "a.b": true, "context.Context": true,
	} {
		if got := missingName(names, commands, text) == ""; got != there {
			t.Errorf("missingName(%q) says there = %v, want %v", text, got, there)
		}
	}
}

// quotedCode finds code that the document quotes, with the function that it is of.
var quotedCode = regexp.MustCompile("(?s)<!-- (\\w+) -->\n```go\n(.*?)```")

func TestTheCodeOnThePageIsThatOfTheExamples(t *testing.T) {
	text, err := os.ReadFile(comingFromRoblox)
	if err != nil {
		t.Fatal(err)
	}
	bodies := readBodies(t, "../../examples/fromroblox")
	found := quotedCode.FindAllSubmatch(text, -1)
	if n := bytes.Count(text, []byte("```go")); len(found) != n || n < 7 {
		t.Errorf("%d of %d pieces of Go name their function, want all of seven or more", len(found), n)
	}
	for _, m := range found {
		body, ok := bodies[string(m[1])]
		if !ok {
			t.Errorf("there is no function %s in the examples", m[1])
		} else if !strings.Contains(body, flat(string(m[2]))) {
			t.Errorf("%s has not got this code:\n%s", m[1], m[2])
		}
	}
}

// readBodies returns the functions of a folder's tests as they stand there.
func readBodies(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples in %s: %v", dir, err)
	}
	bodies := make(map[string]string)
	for _, name := range files {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				var b bytes.Buffer
				if err := printer.Fprint(&b, fset, &printer.CommentedNode{Node: fn, Comments: f.Comments}); err != nil {
					t.Fatal(err)
				}
				bodies[fn.Name.Name] = flat(b.String())
			}
		}
	}
	return bodies
}

// flat is code without its indentation and the spaces that align it.
func flat(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
