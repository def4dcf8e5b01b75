;; The module that is appended to a component: it delivers a message that crosses as text, and answers in text.
;;
;; `deliver` takes `text`, the strings of a component-message one after the other; four numbers with the lengths of two
;; of them each; the payload; and three more numbers. It is lifted with string-encoding=utf8 and its own memory.
;;
;; | parameter | low half                         | high half            |
;; |-----------|----------------------------------|----------------------|
;; | lengths 1 | sender's namespace               | sender's name        |
;; | lengths 2 | sender's instance                | correlation-id       |
;; | lengths 3 | reply-to's namespace             | reply-to's name      |
;; | lengths 4 | reply-to's instance              | content-type         |
;; | sent      | milliseconds since the epoch                            |
;; | what      | bytes of the payload             | flags                |
;; | limit     | most bytes of an answer                                 |
;;
;; | flag  | says                                                                                |
;; |-------|-------------------------------------------------------------------------------------|
;; | 0, 1  | how the payload is encoded: 0 ASCII as it is, 1 hexadecimal, 2 planes (planes.wat)  |
;; | 2     | it is for handle-callback                                                           |
;; | 3 4 5 | there is a correlation-id, a reply-to, a content-type                               |
;;
;; The answer is a head of eight characters and a body. The first character is case * 4 + encoding; the next five are
;; a length in digits of seven bits, lowest first: of what the body decodes to, of all of it where the body is cut.
;;
;; | case    | the guest answered            | body                                          |
;; |---------|-------------------------------|-----------------------------------------------|
;; | 0       | ok(none), ok                  |                                               |
;; | 1       | ok(some)                      | the payload                                   |
;; | 2       | ok(some) over the limit       |                                               |
;; | 3       | what breaks the canonical ABI | the length says in which way: $trouble        |
;; | 4 to 10 | err, in the order of the WIT  | its text; 16 KiB of one that is over the      |
;; |         |                               | limit and over 16 KiB                         |
;;
;; Own memory: the answer's address and length at 0, its head at 24, its body at 32; before that the arguments from 16.

(import "guest" "memory" (memory $plain 0))
(import "guest" "realloc" (func $guest_realloc (param i32 i32 i32 i32) (result i32)))
(import "guest" "handle-message" (func $handle_message (param i32) (result i32)))
(import "guest" "handle-callback" (func $handle_callback (param i32) (result i32)))
(import "guest" "post-message" (func $post_message (param i32)))
(import "guest" "post-callback" (func $post_callback (param i32)))

(memory $frame (export "memory") 1)

(global $free (mut i32) (i32.const 16))         ;; where the next argument goes
(global $cursor (mut i32) (i32.const 16))       ;; where the next string of the text is
(global $trouble (mut i32) (i32.const 0))       ;; why the guest's memory is left alone, see $check
(global $returned (mut i32) (i32.const 0))      ;; what the guest's function returned
(global $posting (mut i32) (i32.const 0))       ;; 1: post-message is to follow, 2: post-callback

(func (export "deliver")
  (param $text i32) (param $text_bytes i32)
  (param $lengths1 i64) (param $lengths2 i64) (param $lengths3 i64) (param $lengths4 i64)
  (param $payload i32) (param $payload_bytes i32)
  (param $sent i64) (param $what i64) (param $limit i64)
  (result i32)
  (local $message i32) (local $flags i32)
  (global.set $free (i32.const 16))
  (global.set $trouble (i32.const 0))
  (global.set $posting (i32.const 0))
  (global.set $cursor (local.get $text))
  (local.set $flags (call $high (local.get $what)))
  (local.set $message (call $allocate (i32.const 8) (i32.const 104)))
  (call $string (local.get $message) (i32.const 0) (call $low (local.get $lengths1)))
  (call $string (local.get $message) (i32.const 8) (call $high (local.get $lengths1)))
  (call $string (local.get $message) (i32.const 16) (call $low (local.get $lengths2)))
  (call $payload (local.get $message) (local.get $payload) (call $low (local.get $what))
    (i32.and (local.get $flags) (i32.const 3)))
  (if (call $option (local.get $message) (i32.const 32) (i32.and (local.get $flags) (i32.const 8)))
    (then (call $string (local.get $message) (i32.const 36) (call $high (local.get $lengths2)))))
  (if (call $option (local.get $message) (i32.const 44) (i32.and (local.get $flags) (i32.const 16)))
    (then
      (call $string (local.get $message) (i32.const 48) (call $low (local.get $lengths3)))
      (call $string (local.get $message) (i32.const 56) (call $high (local.get $lengths3)))
      (call $string (local.get $message) (i32.const 64) (call $low (local.get $lengths4)))))
  (if (call $option (local.get $message) (i32.const 88) (i32.and (local.get $flags) (i32.const 32)))
    (then (call $string (local.get $message) (i32.const 92) (call $high (local.get $lengths4)))))
  (if (i32.eqz (global.get $trouble))
    (then
      (i64.store $plain offset=72 (local.get $message) (i64.div_u (local.get $sent) (i64.const 1000)))
      (i32.store $plain offset=80 (local.get $message) (i32.mul (i32.const 1000000)
        (i32.wrap_i64 (i64.rem_u (local.get $sent) (i64.const 1000)))))
      (call $handle (local.get $message) (i32.and (local.get $flags) (i32.const 4)))
      (call $answer (i32.and (local.get $flags) (i32.const 4)) (local.get $limit))))
  (if (global.get $trouble)
    (then
      (global.set $posting (i32.const 0))
      (call $head (i32.const 12) (global.get $trouble) (i32.const 0))))
  (i32.const 0))

(func $low (param i64) (result i32) (i32.wrap_i64 (local.get 0)))
(func $high (param i64) (result i32) (i32.wrap_i64 (i64.shr_u (local.get 0) (i64.const 32))))

;; After the answer has been read.
(func (export "post") (param i32)
  (if (i32.eq (global.get $posting) (i32.const 1)) (then (call $post_message (global.get $returned))))
  (if (i32.eq (global.get $posting) (i32.const 2)) (then (call $post_callback (global.get $returned)))))

;; Room for an argument, one behind the other; `deliver` starts again from the beginning.
(func (export "realloc") (param $old i32) (param $old_bytes i32) (param $align i32) (param $bytes i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
  (call $reserve (i64.add (i64.extend_i32_u (local.get $at)) (i64.extend_i32_u (local.get $bytes))))
  (global.set $free (i32.add (local.get $at) (local.get $bytes)))
  (local.get $at))

;; Have so many bytes of own memory, and some that loops by vectors may run over.
(func $reserve (param $bytes i64)
  (local $missing i64)
  (local.set $missing (i64.sub
    (i64.shr_u (i64.add (local.get $bytes) (i64.const 65663)) (i64.const 16))
    (i64.extend_i32_u (memory.size $frame))))
  (if (i64.gt_s (local.get $missing) (i64.const 0))
    (then
      (if (i32.eq (memory.grow $frame (i32.wrap_i64 (local.get $missing))) (i32.const -1)) (then unreachable)))))

;; What wasmtime checks where it reads and writes the guest's memory itself:
;; 1 and 2 of what the guest's realloc returned, 3 and 4 of what its function did, 5 discriminants.
(func $check (param $at i32) (param $align i32) (param $bytes i32) (param $if_unaligned i32) (param $if_outside i32)
  (if (i32.and (local.get $at) (i32.sub (local.get $align) (i32.const 1)))
    (then (global.set $trouble (local.get $if_unaligned)) (return)))
  (if (i64.gt_u
      (i64.add (i64.extend_i32_u (local.get $at)) (i64.extend_i32_u (local.get $bytes)))
      (i64.shl (i64.extend_i32_u (memory.size $plain)) (i64.const 16)))
    (then (global.set $trouble (local.get $if_outside)))))

(func $allocate (param $align i32) (param $bytes i32) (result i32)
  (local $at i32)
  (if (global.get $trouble) (then (return (i32.const 0))))
  (local.set $at
    (call $guest_realloc (i32.const 0) (i32.const 0) (local.get $align) (local.get $bytes)))
  (call $check (local.get $at) (local.get $align) (local.get $bytes) (i32.const 1) (i32.const 2))
  (local.get $at))

;; Write the address and length of a string or list into the message.
(func $place (param $message i32) (param $field i32) (param $at i32) (param $bytes i32)
  (local.set $field (i32.add (local.get $message) (local.get $field)))
  (i32.store $plain (local.get $field) (local.get $at))
  (i32.store $plain offset=4 (local.get $field) (local.get $bytes)))

;; The next string of the text, as a field of the message.
(func $string (param $message i32) (param $field i32) (param $bytes i32)
  (local $to i32)
  (local.set $to (call $allocate (i32.const 1) (local.get $bytes)))
  (if (global.get $trouble) (then (return)))
  (memory.copy $plain $frame (local.get $to) (global.get $cursor) (local.get $bytes))
  (global.set $cursor (i32.add (global.get $cursor) (local.get $bytes)))
  (call $place (local.get $message) (local.get $field) (local.get $to) (local.get $bytes)))

(func $option (param $message i32) (param $field i32) (param $some i32) (result i32)
  (if (global.get $trouble) (then (return (i32.const 0))))
  (i32.store8 $plain (i32.add (local.get $message) (local.get $field)) (i32.ne (local.get $some) (i32.const 0)))
  (local.get $some))

(func $payload (param $message i32) (param $from i32) (param $bytes i32) (param $encoding i32)
  (local $to i32)
  (local.set $to (call $allocate (i32.const 1) (local.get $bytes)))
  (if (global.get $trouble) (then (return)))
  (if (i32.eq (local.get $encoding) (i32.const 2))
    (then (call $unpack (local.get $from) (local.get $to) (local.get $bytes)))
    (else
      (if (local.get $encoding) (then (call $unhex (local.get $from) (local.get $bytes))))
      (memory.copy $plain $frame (local.get $to) (local.get $from) (local.get $bytes))))
  (call $place (local.get $message) (i32.const 24) (local.get $to) (local.get $bytes)))

(func $handle (param $message i32) (param $callback i32)
  (if (local.get $callback)
    (then
      (global.set $returned (call $handle_callback (local.get $message)))
      (global.set $posting (i32.const 2)))
    (else
      (global.set $returned (call $handle_message (local.get $message)))
      (global.set $posting (i32.const 1)))))

;; Both functions return the address of a result: whether it is err at 0, a discriminant at 4, address and length of
;; the payload or text at 8.
(func $answer (param $callback i32) (param $limit i64)
  (local $at i32) (local $err i32) (local $case i32) (local $bytes i32) (local $kept i32)
  (local.set $at (global.get $returned))
  (call $check (local.get $at) (i32.const 4) (i32.const 16) (i32.const 3) (i32.const 4))
  (if (global.get $trouble) (then (return)))
  (local.set $err (i32.load8_u $plain (local.get $at)))
  (local.set $case (i32.load8_u $plain offset=4 (local.get $at)))
  (if (i32.and (i32.eqz (local.get $err)) (i32.ne (local.get $callback) (i32.const 0))) (then (local.set $case (i32.const 0))))
  (if (i32.or
      (i32.gt_u (local.get $err) (i32.const 1))
      (i32.gt_u (local.get $case) (select (i32.const 6) (i32.const 1) (local.get $err))))
    (then (global.set $trouble (i32.const 5)) (return)))
  (if (local.get $err) (then (local.set $case (i32.add (local.get $case) (i32.const 4)))))
  (if (i32.or (i32.eqz (local.get $case)) (i32.eq (local.get $case) (i32.const 7)))  ;; none, err(timeout): no value
    (then (call $head (i32.shl (local.get $case) (i32.const 2)) (i32.const 0) (i32.const 0)) (return)))
  (local.set $at (i32.load $plain offset=8 (global.get $returned)))
  (local.set $bytes (i32.load $plain offset=12 (global.get $returned)))
  (call $check (local.get $at) (i32.const 1) (local.get $bytes) (i32.const 3) (i32.const 4))
  (if (global.get $trouble) (then (return)))
  (local.set $kept (local.get $bytes))
  (if (local.get $err)
    (then
      (if (i32.and
          (i64.gt_u (i64.extend_i32_u (local.get $bytes)) (local.get $limit))
          (i32.gt_u (local.get $bytes) (i32.const 16384)))
        (then (local.set $kept (i32.const 16384)))))
    (else
      (if (i64.gt_u (i64.extend_i32_u (local.get $bytes)) (local.get $limit))
        (then (call $head (i32.const 8) (local.get $bytes) (i32.const 0)) (return)))))
  (call $body (local.get $case) (local.get $at) (local.get $kept) (local.get $bytes)))

;; Head and body of an answer, in the encoding that suits it.
(func $body (param $case i32) (param $at i32) (param $bytes i32) (param $all i32)
  (local $ascii i32) (local $blocks i32)
  (local.set $ascii (call $is_ascii (local.get $at) (local.get $bytes)))
  (local.set $case (i32.shl (local.get $case) (i32.const 2)))
  (local.set $blocks (i32.div_u (i32.add (local.get $bytes) (i32.const 111)) (i32.const 112)))
  (if (i32.or (local.get $ascii) (i32.lt_u (local.get $bytes) (i32.const 2048)))
    (then
      (call $reserve (i64.add (i64.extend_i32_u (local.get $bytes)) (i64.const 32)))
      (memory.copy $frame $plain (i32.const 32) (local.get $at) (local.get $bytes))
      (if (local.get $ascii)
        (then (call $head (local.get $case) (local.get $all) (local.get $bytes)) (return)))
      (call $hex (i32.const 32) (local.get $bytes))
      (call $head (i32.or (local.get $case) (i32.const 1)) (local.get $all) (i32.shl (local.get $bytes) (i32.const 1))))
    (else
      (local.set $ascii (i32.shl (local.get $blocks) (i32.const 7)))
      (call $reserve (i64.add (i64.extend_i32_u (local.get $ascii)) (i64.const 32)))
      (call $pack (local.get $at) (i32.const 32) (local.get $bytes))
      (call $head (i32.or (local.get $case) (i32.const 2)) (local.get $all) (local.get $ascii)))))

(func $head (param $tag i32) (param $length i32) (param $body_bytes i32)
  (local $n i64)
  (local.set $n (i64.extend_i32_u (local.get $length)))
  (i32.store $frame (i32.const 0) (i32.const 24))
  (i32.store $frame (i32.const 4) (i32.add (local.get $body_bytes) (i32.const 8)))
  (i64.store $frame (i32.const 24) (i64.or
    (i64.or
      (i64.extend_i32_u (local.get $tag))
      (i64.or
        (i64.and (i64.shl (local.get $n) (i64.const 8)) (i64.const 0x7f00))
        (i64.and (i64.shl (local.get $n) (i64.const 9)) (i64.const 0x7f0000))))
    (i64.or
      (i64.and (i64.shl (local.get $n) (i64.const 10)) (i64.const 0x7f000000))
      (i64.or
        (i64.and (i64.shl (local.get $n) (i64.const 11)) (i64.const 0x7f00000000))
        (i64.and (i64.shl (local.get $n) (i64.const 12)) (i64.const 0x7f0000000000)))))))

;; Whether bytes of the guest's are all ASCII, 64 at a time, the last 64 of them again; fewer are looked at in a copy.
(func $is_ascii (param $at i32) (param $bytes i32) (result i32)
  (local $last i32)
  (if (i32.lt_u (local.get $bytes) (i32.const 64))
    (then
      (memory.fill $frame (i32.const 32) (i32.const 0) (i32.const 64))
      (memory.copy $frame $plain (i32.const 32) (local.get $at) (local.get $bytes))
      (return (i32.eqz (i8x16.bitmask (v128.or
        (v128.or (v128.load $frame (i32.const 32)) (v128.load $frame (i32.const 48)))
        (v128.or (v128.load $frame (i32.const 64)) (v128.load $frame (i32.const 80)))))))))
  (local.set $last (i32.sub (i32.add (local.get $at) (local.get $bytes)) (i32.const 64)))
  (loop $next
    (if (i32.gt_u (local.get $at) (local.get $last)) (then (local.set $at (local.get $last))))
    (if (i8x16.bitmask (v128.or
        (v128.or (v128.load $plain (local.get $at)) (v128.load $plain offset=16 (local.get $at)))
        (v128.or (v128.load $plain offset=32 (local.get $at)) (v128.load $plain offset=48 (local.get $at)))))
      (then (return (i32.const 0))))
    (local.set $at (i32.add (local.get $at) (i32.const 64)))
    (br_if $next (i32.lt_u (local.get $at) (i32.add (local.get $last) (i32.const 64)))))
  (i32.const 1))

;; Bytes to twice as many hexadecimal digits, in place: from the end, so that nothing is overwritten before it is read.
(func $hex (param $at i32) (param $bytes i32)
  (local $from i32) (local $v v128) (local $low v128)
  (local.set $from (i32.and (local.get $bytes) (i32.const -16)))
  (loop $next
    (local.set $v (v128.load $frame (i32.add (local.get $at) (local.get $from))))
    (local.set $low (i8x16.swizzle
      (v128.const i8x16 48 49 50 51 52 53 54 55 56 57 97 98 99 100 101 102)
      (v128.and (local.get $v) (i8x16.splat (i32.const 15)))))
    (local.set $v (i8x16.swizzle
      (v128.const i8x16 48 49 50 51 52 53 54 55 56 57 97 98 99 100 101 102)
      (i8x16.shr_u (local.get $v) (i32.const 4))))
    (v128.store $frame (i32.add (local.get $at) (i32.shl (local.get $from) (i32.const 1)))
      (i8x16.shuffle 0 16 1 17 2 18 3 19 4 20 5 21 6 22 7 23 (local.get $v) (local.get $low)))
    (v128.store $frame offset=16 (i32.add (local.get $at) (i32.shl (local.get $from) (i32.const 1)))
      (i8x16.shuffle 8 24 9 25 10 26 11 27 12 28 13 29 14 30 15 31 (local.get $v) (local.get $low)))
    (local.set $from (i32.sub (local.get $from) (i32.const 16)))
    (br_if $next (i32.ge_s (local.get $from) (i32.const 0)))))

;; The other way: that many bytes from twice as many digits, in place.
(func $unhex (param $at i32) (param $bytes i32)
  (local $from i32) (local $end i32)
  (local.set $from (local.get $at))
  (local.set $end (i32.add (local.get $at) (local.get $bytes)))
  (loop $next
    (v128.store $frame (local.get $at) (i8x16.narrow_i16x8_u
      (call $pairs (v128.load $frame (local.get $from)))
      (call $pairs (v128.load $frame offset=16 (local.get $from)))))
    (local.set $from (i32.add (local.get $from) (i32.const 32)))
    (local.set $at (i32.add (local.get $at) (i32.const 16)))
    (br_if $next (i32.lt_u (local.get $at) (local.get $end)))))

;; Eight pairs of digits as numbers. A digit is its low four bits, and nine more if it is a letter (bit 6).
(func $pairs (param $digits v128) (result v128)
  (local.set $digits (i8x16.add
    (v128.and (local.get $digits) (i8x16.splat (i32.const 15)))
    (i16x8.mul
      (v128.and (i16x8.shr_u (local.get $digits) (i32.const 6)) (i8x16.splat (i32.const 1)))
      (i16x8.splat (i32.const 9)))))
  (v128.and
    (v128.or (i16x8.shl (local.get $digits) (i32.const 4)) (i16x8.shr_u (local.get $digits) (i32.const 8)))
    (i16x8.splat (i32.const 0xff))))
