// A member that is not ours: HashiCorp's memberlist with a mouth and an ear. Tests and benchmarks
// drive it by lines of JSON, as bench/gossip-lines.ts says and our own members do. It ends with its
// stdin, or when its life is over.
//
//	apt-get install golang-go golang-github-hashicorp-memberlist-dev
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o memberlist-peer main.go
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const actionTimeout = 5 * time.Second

// One line of stdin.
type command struct {
	Do       string   `json:"do"`
	Seeds    []string `json:"seeds"`
	To       string   `json:"to"`
	Text     string   `json:"text"`
	Reliable bool     `json:"reliable"`
	Primary  string   `json:"primary"`
	All      []string `json:"all"`
}

// One member, as an event of its own or in a list.
type member struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	State   string `json:"state"`
	Meta    string `json:"meta"`
}

type fields map[string]interface{}

var output struct {
	sync.Mutex
	*json.Encoder
}

// tell writes an event with the time in microseconds since 1970.
func tell(event string, more fields) {
	line := fields{"event": event, "atUs": time.Now().UnixMicro()}
	for name, value := range more {
		line[name] = value
	}
	output.Lock()
	defer output.Unlock()
	if output.Encode(line) != nil {
		os.Exit(1)
	}
}

// memberlist 0.2.2 lists nobody that is gone, but leaves the state of its nodes at zero.
func viewOf(node *memberlist.Node) member {
	return member{node.Name, node.Address(), "alive", string(node.Meta)}
}

// A message on its way to everybody.
type rumour []byte

func (r rumour) Invalidates(memberlist.Broadcast) bool { return false }
func (r rumour) Message() []byte                       { return r }
func (r rumour) Finished()                             {}

// What memberlist asks, and what it tells.
type program struct {
	sync.Mutex
	meta    string
	heard   map[string]bool
	rumours memberlist.TransmitLimitedQueue
}

func (p *program) NodeMeta(int) []byte {
	p.Lock()
	defer p.Unlock()
	return []byte(p.meta)
}

func (p *program) GetBroadcasts(overhead, limit int) [][]byte {
	return p.rumours.GetBroadcasts(overhead, limit)
}

// NotifyMsg passes rumours ("*…") on when they are new: memberlist leaves that to the program.
func (p *program) NotifyMsg(octets []byte) {
	text := string(octets)
	if strings.HasPrefix(text, "*") && !p.spread(text) {
		return
	}
	tell("user", fields{"text": text})
}

// spread answers false when this was heard before.
func (p *program) spread(text string) bool {
	p.Lock()
	known := p.heard[text]
	p.heard[text] = true
	p.Unlock()
	if !known {
		p.rumours.QueueBroadcast(rumour(text))
	}
	return !known
}

func (p *program) LocalState(bool) []byte        { return []byte("state of a Go program") }
func (p *program) MergeRemoteState([]byte, bool) {}

func (p *program) NotifyJoin(node *memberlist.Node)   { p.changed(node, "alive") }
func (p *program) NotifyUpdate(node *memberlist.Node) { p.changed(node, "alive") }

// NotifyLeave is called for those that left and for those that failed, and does not say which.
func (p *program) NotifyLeave(node *memberlist.Node) { p.changed(node, "gone") }

func (p *program) changed(node *memberlist.Node, state string) {
	view := viewOf(node)
	tell("member", fields{"name": view.Name, "address": view.Address, "state": state,
		"meta": view.Meta})
}

func (p *program) NotifyConflict(existing, other *memberlist.Node) {
	tell("conflict", fields{"name": existing.Name, "here": existing.Address(),
		"there": other.Address()})
}

func (p *program) act(list *memberlist.Memberlist, ring *memberlist.Keyring, c command) error {
	switch c.Do {
	case "join":
		_, err := list.Join(c.Seeds)
		return err
	case "send":
		return send(list, c)
	case "spread":
		p.spread("*" + c.Text)
		return nil
	case "meta":
		p.Lock()
		p.meta = c.Text
		p.Unlock()
		return list.UpdateNode(actionTimeout)
	case "members":
		views := []member{}
		for _, node := range list.Members() {
			views = append(views, viewOf(node))
		}
		tell("members", fields{"members": views})
		return nil
	case "keys":
		return setKeys(ring, c)
	case "leave":
		return list.Leave(actionTimeout)
	}
	return fmt.Errorf("no command %q", c.Do)
}

func send(list *memberlist.Memberlist, c command) error {
	for _, node := range list.Members() {
		if node.Name == c.To && c.Reliable {
			return list.SendReliable(node, []byte(c.Text))
		}
		if node.Name == c.To {
			return list.SendBestEffort(node, []byte(c.Text))
		}
	}
	return fmt.Errorf("no member %q", c.To)
}

// setKeys makes the ring hold these keys and no others.
func setKeys(ring *memberlist.Keyring, c command) error {
	if ring == nil {
		return errors.New("started without keys")
	}
	keep := map[string]bool{}
	for _, digits := range c.All {
		key, err := hex.DecodeString(digits)
		if err != nil {
			return err
		}
		keep[string(key)] = true
		if err := ring.AddKey(key); err != nil {
			return err
		}
	}
	primary, err := hex.DecodeString(c.Primary)
	if err != nil {
		return err
	}
	if err := ring.UseKey(primary); err != nil {
		return err
	}
	for _, key := range append([][]byte{}, ring.GetKeys()...) {
		if !keep[string(key)] {
			if err := ring.RemoveKey(key); err != nil {
				return err
			}
		}
	}
	return nil
}

func keyringOf(digits string) (*memberlist.Keyring, error) {
	if digits == "" {
		return nil, nil
	}
	var keys [][]byte
	for _, one := range strings.Split(digits, ",") {
		key, err := hex.DecodeString(one)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return memberlist.NewKeyring(keys, keys[0])
}

func run() error {
	config := memberlist.DefaultLANConfig()
	flag.StringVar(&config.Name, "name", "go", "name of the node")
	flag.StringVar(&config.BindAddr, "host", "127.0.0.1", "address to listen at")
	flag.IntVar(&config.BindPort, "port", 7946, "port, UDP and TCP")
	keys := flag.String("keys", "", "keys in hex, the first one seals; none: in the clear")
	meta := flag.String("meta", "", "metadata of the node")
	protocol := flag.Int("protocol", 2, "protocol to speak, 1 to 5")
	flag.BoolVar(&config.EnableCompression, "compress", true, "pack by LZW")
	logged := flag.Bool("log", false, "log of the library on stderr")
	life := flag.Duration("life", 5*time.Minute, "end after this time")
	flag.Parse()

	output.Encoder = json.NewEncoder(os.Stdout)
	time.AfterFunc(*life, func() { os.Exit(3) })
	ring, err := keyringOf(*keys)
	if err != nil {
		return err
	}
	if !*logged {
		config.LogOutput = io.Discard
	}
	config.AdvertisePort = config.BindPort
	config.ProtocolVersion = uint8(*protocol)
	config.Keyring = ring
	p := &program{meta: *meta, heard: map[string]bool{}}
	var list *memberlist.Memberlist
	p.rumours.RetransmitMult = config.RetransmitMult
	p.rumours.NumNodes = func() int { return list.NumMembers() }
	config.Delegate, config.Events, config.Conflict = p, p, p
	list, err = memberlist.Create(config)
	if err != nil {
		return err
	}
	tell("ready", fields{"name": config.Name,
		"address": fmt.Sprintf("%s:%d", config.BindAddr, config.BindPort)})
	return obey(p, list, ring)
}

func obey(p *program, list *memberlist.Memberlist, ring *memberlist.Keyring) error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		from := time.Now().UnixMicro()
		var c command
		err := json.Unmarshal(lines.Bytes(), &c)
		if err == nil {
			err = p.act(list, ring, c)
		}
		words := ""
		if err != nil {
			words = err.Error()
		}
		tell("done", fields{"do": c.Do, "error": words, "fromUs": from})
	}
	return lines.Err()
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "memberlist-peer:", err)
		os.Exit(1)
	}
}
