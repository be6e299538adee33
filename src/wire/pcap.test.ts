// Capture files, octet by octet as pcap-savefile(5) lays them out.
import test from 'ava'
import {
  pcapFileHeader, pcapRecordHeader, PCAP_FILE_HEADER_OCTETS, PCAP_LINK_ETHERNET,
  PCAP_RECORD_HEADER_OCTETS, PCAP_SNAP_OCTETS,
} from './pcap.ts'
import { hexOf } from './vectors.test-kit.ts'

test('a file starts with magic, version 2.4, snap length and link type', t => {
  const header = pcapFileHeader(65535, 113)
  t.is(header.length, PCAP_FILE_HEADER_OCTETS)
  t.is(hexOf(header), 'd4c3b2a1 0200 0400 00000000 00000000 ffff0000 71000000'.replaceAll(' ', ''))
})

test('without arguments it is as tcpdump on an Ethernet device starts it', t => {
  t.deepEqual(pcapFileHeader(), pcapFileHeader(PCAP_SNAP_OCTETS, PCAP_LINK_ETHERNET))
  t.is(hexOf(pcapFileHeader()).slice(32), '0000040001000000')
})

test('a record says when, how much is there, and how much there was', t => {
  const header = pcapRecordHeader(0xe8a1b2c3, 999_999, 96, 1500)
  t.is(header.length, PCAP_RECORD_HEADER_OCTETS)
  t.is(hexOf(header), 'c3b2a1e8 3f420f00 60000000 dc050000'.replaceAll(' ', ''))
})
