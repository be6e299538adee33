// Prints the golden vectors of src/wire/memberlist. It stands inside a copy of memberlist's own
// package while it is compiled, for the functions that make messages are not exported;
// scripts/capture-memberlist-vectors does that.
package memberlist

import (
	"bytes"
	"compress/lzw"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
)

// PrintVectors writes one line for each vector: its name and its octets.
func PrintVectors() {
	address := []byte{10, 99, 0, 1}
	address6 := append([]byte{0xfd}, append(make([]byte, 14), 1)...)
	versions := []uint8{1, 5, 2, 0, 0, 0}
	first := ping{SeqNo: 1, Node: "n2", SourceAddr: address, SourcePort: 7946, SourceNode: "n1"}
	message := func(name string, kind messageType, value interface{}) []byte {
		out, err := encode(kind, value)
		if err != nil {
			panic(err)
		}
		show(name, out.Bytes())
		return out.Bytes()
	}
	plainPing := message("ping", pingMsg, &first)
	message("ping-omit", pingMsg, &ping{SeqNo: 1, Node: "n2"})
	message("ping-seq-256", pingMsg, &ping{SeqNo: 256, Node: "n2"})
	message("ping-seq-65536", pingMsg, &ping{SeqNo: 65536, Node: "n2"})
	message("indirect-ping", indirectPingMsg, &indirectPingReq{SeqNo: 7, Target: address, Port: 7946,
		Node: "n2", Nack: true, SourceAddr: address, SourcePort: 7946, SourceNode: "n1"})
	message("ack", ackRespMsg, &ackResp{SeqNo: 1, Payload: []byte("pay")})
	message("ack-nil", ackRespMsg, &ackResp{SeqNo: 1})
	message("ack-empty", ackRespMsg, &ackResp{SeqNo: 1, Payload: []byte{}})
	message("suspect", suspectMsg, &suspect{Incarnation: 3, Node: "n2", From: "n1"})
	someone := func(octets []byte, node string, meta []byte, versions []uint8) *alive {
		return &alive{Incarnation: 1, Node: node, Addr: octets, Port: 7946, Meta: meta, Vsn: versions}
	}
	many := func(octet string, count int) []byte { return []byte(strings.Repeat(octet, count)) }
	message("alive", aliveMsg, someone(address, "n1", []byte("role=mgr"), versions))
	message("alive-v6-no-meta", aliveMsg, someone(address6, "n1", nil, []uint8{1, 5, 2, 2, 5, 4}))
	message("alive-meta-31", aliveMsg,
		someone(address, string(many("n", 32)), many("m", 31), versions))
	message("alive-meta-32", aliveMsg, someone(address, "n1", many("m", 32), versions))
	message("alive-meta-256", aliveMsg, someone(address, "n1", many("m", 256), versions))
	message("dead", deadMsg, &dead{Incarnation: 3, Node: "n2", From: "n1"})
	message("nack", nackRespMsg, &nackResp{SeqNo: 9})
	message("error", errMsg, &errResp{Error: "boom"})
	message("push-pull-header", pushPullMsg,
		&pushPullHeader{Nodes: 2, UserStateLen: 5, Join: true})
	message("push-pull-header-large", pushPullMsg,
		&pushPullHeader{Nodes: 200, UserStateLen: 70000})
	// Nodes follow the header of push/pull with no octet that says what they are.
	pushed := func(name string, state *pushNodeState) {
		out, err := encode(0, state)
		if err != nil {
			panic(err)
		}
		show(name, out.Bytes()[1:])
	}
	pushed("pushed-node", &pushNodeState{Name: "n1", Addr: address, Port: 7946, Incarnation: 1,
		Vsn: versions})
	pushed("pushed-node-left", &pushNodeState{Name: "n1", Addr: address, Port: 7946,
		Incarnation: 300, Meta: []byte("m"), State: StateLeft, Vsn: versions})
	message("user-header", userMsg, &userMsgHeader{UserMsgLen: 10})
	show("compound", makeCompoundMessage([][]byte{plainPing, {8, 'h', 'i'}}).Bytes())
	show("lzw-ping", squeeze(plainPing))
	packed, err := compressPayload(plainPing)
	if err != nil {
		panic(err)
	}
	show("compress-ping", packed.Bytes())
	show("lzw-a-40", squeeze(many("a", 40)))
	show("lzw-none", squeeze(nil))
	// So many codes that the table is cleared on the way: octets of a small generator.
	noise := make([]byte, 6000)
	state := uint32(1)
	for i := range noise {
		state = state*1664525 + 1013904223
		noise[i] = byte(state>>24) & 0x3f
	}
	show("lzw-noise-6000", squeeze(noise))
	sum := make([]byte, 4)
	binary.BigEndian.PutUint32(sum, crc32.ChecksumIEEE(plainPing))
	show("checksum-ping", append(append([]byte{byte(hasCrcMsg)}, sum...), plainPing...))
	printSealed(plainPing)
}

// The nonces are random: these lines differ from run to run.
func printSealed(plainPing []byte) {
	key := []byte("0123456789abcdef0123456789abcdef")
	for version := encryptionVersion(0); version <= maxEncryptionVersion; version++ {
		for _, octets := range []int{16, 24, 32} {
			var out bytes.Buffer
			if err := encryptPayload(version, key[:octets], plainPing, nil, &out); err != nil {
				panic(err)
			}
			show(fmt.Sprintf("sealed-%d-ping-key-%d", version, octets), out.Bytes())
		}
	}
	ring, err := NewKeyring(nil, key[:16])
	if err != nil {
		panic(err)
	}
	for _, version := range []uint8{1, 2} {
		member := &Memberlist{config: &Config{ProtocolVersion: version, Keyring: ring}}
		out, err := member.encryptLocalState(plainPing)
		if err != nil {
			panic(err)
		}
		show(fmt.Sprintf("stream-protocol-%d-ping", version), out)
	}
}

func squeeze(octets []byte) []byte {
	var out bytes.Buffer
	writer := lzw.NewWriter(&out, lzw.LSB, lzwLitWidth)
	writer.Write(octets)
	writer.Close()
	return out.Bytes()
}

func show(name string, octets []byte) { fmt.Printf("%-22s %x\n", name, octets) }
