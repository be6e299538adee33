;; The Internet checksum's sum (RFC 1071 section 2) over one memory, sixteen octets at a time.
;;
;; The sum does not care for the order of octets as long as it is the same throughout (RFC 1071 section
;; 2 (B)), so words are added as the machine loads them, little-endian, and the result is swapped once.
;; A lane of 32 bits takes 2^15 additions of two 16-bit words before it could overflow: 512 KiB, more
;; than any frame. src/wire/sum.ts holds the assembled octets; scripts/build-wasm makes them.
(module
  (import "ring" "memory" (memory 1))

  ;; sum(at, octets) -> folded 16-bit sum in network order, not complemented
  (func (export "sum") (param $at i32) (param $octets i32) (result i32)
    (local $acc v128) (local $acc2 v128) (local $total i64) (local $end i32)

    ;; 64 octets a turn
    (local.set $end (i32.add (local.get $at) (i32.and (local.get $octets) (i32.const -64))))
    (if (i32.lt_u (local.get $at) (local.get $end))
      (then
        (loop $wide
          (local.set $acc (i32x4.add (local.get $acc)
            (i32x4.extadd_pairwise_i16x8_u (v128.load (local.get $at)))))
          (local.set $acc2 (i32x4.add (local.get $acc2)
            (i32x4.extadd_pairwise_i16x8_u (v128.load offset=16 (local.get $at)))))
          (local.set $acc (i32x4.add (local.get $acc)
            (i32x4.extadd_pairwise_i16x8_u (v128.load offset=32 (local.get $at)))))
          (local.set $acc2 (i32x4.add (local.get $acc2)
            (i32x4.extadd_pairwise_i16x8_u (v128.load offset=48 (local.get $at)))))
          (local.set $at (i32.add (local.get $at) (i32.const 64)))
          (br_if $wide (i32.lt_u (local.get $at) (local.get $end))))))

    ;; 16 octets a turn
    (local.set $octets (i32.and (local.get $octets) (i32.const 63)))
    (if (i32.ge_u (local.get $octets) (i32.const 16))
      (then
        (loop $narrow
          (local.set $acc (i32x4.add (local.get $acc)
            (i32x4.extadd_pairwise_i16x8_u (v128.load (local.get $at)))))
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (local.set $octets (i32.sub (local.get $octets) (i32.const 16)))
          (br_if $narrow (i32.ge_u (local.get $octets) (i32.const 16))))))

    (local.set $acc (i32x4.add (local.get $acc) (local.get $acc2)))
    (local.set $total (i64.add
      (i64.add (i64.extend_i32_u (i32x4.extract_lane 0 (local.get $acc)))
        (i64.extend_i32_u (i32x4.extract_lane 1 (local.get $acc))))
      (i64.add (i64.extend_i32_u (i32x4.extract_lane 2 (local.get $acc)))
        (i64.extend_i32_u (i32x4.extract_lane 3 (local.get $acc))))))

    ;; what is left: at most seven words, then perhaps one octet
    (block $done
      (loop $words
        (br_if $done (i32.lt_u (local.get $octets) (i32.const 2)))
        (local.set $total (i64.add (local.get $total) (i64.load16_u (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 2)))
        (local.set $octets (i32.sub (local.get $octets) (i32.const 2)))
        (br $words)))
    (if (local.get $octets)
      (then (local.set $total (i64.add (local.get $total) (i64.load8_u (local.get $at))))))

    ;; fold the carries in, at most three times: 64 -> 33 -> 17 -> 16 bits
    (local.set $total (i64.add (i64.and (local.get $total) (i64.const 0xffff))
      (i64.shr_u (local.get $total) (i64.const 16))))
    (local.set $total (i64.add (i64.and (local.get $total) (i64.const 0xffff))
      (i64.shr_u (local.get $total) (i64.const 16))))
    (local.set $total (i64.add (i64.and (local.get $total) (i64.const 0xffff))
      (i64.shr_u (local.get $total) (i64.const 16))))
    (local.set $octets (i32.wrap_i64 (local.get $total)))
    (i32.or (i32.shr_u (local.get $octets) (i32.const 8))
      (i32.shl (i32.and (local.get $octets) (i32.const 0xff)) (i32.const 8)))))
