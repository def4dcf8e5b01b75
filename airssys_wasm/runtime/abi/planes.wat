;; 7-bit planes: bytes as ASCII text and back, 112 of them as 128.
;;
;; A block is seven vectors of sixteen bytes without their high bits, and an eighth whose bit i holds the high bits of
;; vector i. The last block is the last 112 bytes, so it overlaps the one before unless 112 divides the length, and
;; nothing is ever read or written beyond the payload. Hence there must be 112 bytes at least.
;;
;; $plain and $frame are memories: the guest's and the appended module's there (deliver.wat), two of its own here.

(func $pack (export "pack") (param $at i32) (param $to i32) (param $bytes i32)
  (local $last i32) (local $v v128) (local $high v128)
  (local.set $last (i32.sub (i32.add (local.get $at) (local.get $bytes)) (i32.const 112)))
  (loop $block
    (if (i32.gt_u (local.get $at) (local.get $last)) (then (local.set $at (local.get $last))))
    (local.set $v (v128.load $plain (local.get $at)))
    (v128.store $frame (local.get $to) (v128.and (local.get $v) (i8x16.splat (i32.const 0x7f))))
    (local.set $high
      (v128.and (i16x8.shr_u (local.get $v) (i32.const 7)) (i8x16.splat (i32.const 0x01))))
    (local.set $v (v128.load $plain offset=16 (local.get $at)))
    (v128.store $frame offset=16 (local.get $to) (v128.and (local.get $v) (i8x16.splat (i32.const 0x7f))))
    (local.set $high (v128.or (local.get $high)
      (v128.and (i16x8.shr_u (local.get $v) (i32.const 6)) (i8x16.splat (i32.const 0x02)))))
    (local.set $v (v128.load $plain offset=32 (local.get $at)))
    (v128.store $frame offset=32 (local.get $to) (v128.and (local.get $v) (i8x16.splat (i32.const 0x7f))))
    (local.set $high (v128.or (local.get $high)
      (v128.and (i16x8.shr_u (local.get $v) (i32.const 5)) (i8x16.splat (i32.const 0x04)))))
    (local.set $v (v128.load $plain offset=48 (local.get $at)))
    (v128.store $frame offset=48 (local.get $to) (v128.and (local.get $v) (i8x16.splat (i32.const 0x7f))))
    (local.set $high (v128.or (local.get $high)
      (v128.and (i16x8.shr_u (local.get $v) (i32.const 4)) (i8x16.splat (i32.const 0x08)))))
    (local.set $v (v128.load $plain offset=64 (local.get $at)))
    (v128.store $frame offset=64 (local.get $to) (v128.and (local.get $v) (i8x16.splat (i32.const 0x7f))))
    (local.set $high (v128.or (local.get $high)
      (v128.and (i16x8.shr_u (local.get $v) (i32.const 3)) (i8x16.splat (i32.const 0x10)))))
    (local.set $v (v128.load $plain offset=80 (local.get $at)))
    (v128.store $frame offset=80 (local.get $to) (v128.and (local.get $v) (i8x16.splat (i32.const 0x7f))))
    (local.set $high (v128.or (local.get $high)
      (v128.and (i16x8.shr_u (local.get $v) (i32.const 2)) (i8x16.splat (i32.const 0x20)))))
    (local.set $v (v128.load $plain offset=96 (local.get $at)))
    (v128.store $frame offset=96 (local.get $to) (v128.and (local.get $v) (i8x16.splat (i32.const 0x7f))))
    (v128.store $frame offset=112 (local.get $to) (v128.or (local.get $high)
      (v128.and (i16x8.shr_u (local.get $v) (i32.const 1)) (i8x16.splat (i32.const 0x40)))))
    (if (i32.ne (local.get $at) (local.get $last))
      (then
        (local.set $at (i32.add (local.get $at) (i32.const 112)))
        (local.set $to (i32.add (local.get $to) (i32.const 128)))
        (br $block)))))

(func $unpack (export "unpack") (param $at i32) (param $to i32) (param $bytes i32)
  (local $last i32) (local $high v128)
  (local.set $last (i32.sub (i32.add (local.get $to) (local.get $bytes)) (i32.const 112)))
  (loop $block
    (if (i32.gt_u (local.get $to) (local.get $last)) (then (local.set $to (local.get $last))))
    (local.set $high (v128.load $frame offset=112 (local.get $at)))
    (v128.store $plain (local.get $to) (v128.or (v128.load $frame (local.get $at))
      (v128.and (i16x8.shl (local.get $high) (i32.const 7)) (i8x16.splat (i32.const 0x80)))))
    (v128.store $plain offset=16 (local.get $to) (v128.or (v128.load $frame offset=16 (local.get $at))
      (v128.and (i16x8.shl (local.get $high) (i32.const 6)) (i8x16.splat (i32.const 0x80)))))
    (v128.store $plain offset=32 (local.get $to) (v128.or (v128.load $frame offset=32 (local.get $at))
      (v128.and (i16x8.shl (local.get $high) (i32.const 5)) (i8x16.splat (i32.const 0x80)))))
    (v128.store $plain offset=48 (local.get $to) (v128.or (v128.load $frame offset=48 (local.get $at))
      (v128.and (i16x8.shl (local.get $high) (i32.const 4)) (i8x16.splat (i32.const 0x80)))))
    (v128.store $plain offset=64 (local.get $to) (v128.or (v128.load $frame offset=64 (local.get $at))
      (v128.and (i16x8.shl (local.get $high) (i32.const 3)) (i8x16.splat (i32.const 0x80)))))
    (v128.store $plain offset=80 (local.get $to) (v128.or (v128.load $frame offset=80 (local.get $at))
      (v128.and (i16x8.shl (local.get $high) (i32.const 2)) (i8x16.splat (i32.const 0x80)))))
    (v128.store $plain offset=96 (local.get $to) (v128.or (v128.load $frame offset=96 (local.get $at))
      (v128.and (i16x8.shl (local.get $high) (i32.const 1)) (i8x16.splat (i32.const 0x80)))))
    (if (i32.ne (local.get $to) (local.get $last))
      (then
        (local.set $to (i32.add (local.get $to) (i32.const 112)))
        (local.set $at (i32.add (local.get $at) (i32.const 128)))
        (br $block)))))
