"""Components whose resource `thing` has a destructor that a test may say what it does; written in WAT."""

import re
from typing import Final

from airssys_wasm.runtime.wat import assemble

THINGS: Final = "my:app/things@1.0.0"

_THING: Final = """
  (import "tick" (func $tick (param "rep" u32)))
  (core func $lowered (canon lower (func $tick)))
  (core module $m
    (import "" "tick" (func $tick (param i32)))
    (memory (export "memory") 1)
    (global $dropped (mut i32) (i32.const 0))
    (global $mode (mut i32) (i32.const 0))
    (func (export "dtor") (param $rep i32)
      (global.set $dropped (i32.add (global.get $dropped) (i32.const 1)))
      (if (i32.eq (global.get $mode) (i32.const 1)) (then unreachable))
      (if (i32.eq (global.get $mode) (i32.const 2)) (then (loop (br 0))))
      (if (i32.eq (global.get $mode) (i32.const 3)) (then (call $tick (local.get $rep))))
      (if (i32.eq (global.get $mode) (i32.const 4))
        (then (loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable)))
    (func (export "set-mode") (param i32) (global.set $mode (local.get 0)))
    (func (export "dropped") (result i32) (global.get $dropped))
    (func (export "same") (param i32) (result i32) (local.get 0))
    (func (export "tick") (param i32) (call $tick (local.get 0))))
  (core instance $i (instantiate $m (with "" (instance (export "tick" (func $lowered))))))
  (alias core export $i "dtor" (core func $dtor))
  (alias core export $i "set-mode" (core func $set-mode))
  (alias core export $i "dropped" (core func $dropped))
  (alias core export $i "same" (core func $same))
  (alias core export $i "tick" (core func $ticks))
  (type $thing (resource (rep i32) (dtor (core func $dtor))))
  (core func $new (canon resource.new $thing))
  (core func $drop (canon resource.drop $thing))
  (func $make (param "rep" u32) (result (own $thing)) (canon lift (core func $new)))
  (func $rep (param "self" (borrow $thing)) (result u32) (canon lift (core func $same)))
  (func $keep (param "thing" (own $thing)) (result u32) (canon lift (core func $same)))
  (func $mode (param "mode" u32) (canon lift (core func $set-mode)))
  (func $count (result u32) (canon lift (core func $dropped)))
  (func $wait (param "number" u32) (canon lift (core func $ticks)))
  (component $shim
    (import "import-type-thing" (type $t (sub resource)))
    (import "make" (func $make (param "rep" u32) (result (own $t))))
    (import "rep" (func $rep (param "self" (borrow $t)) (result u32)))
    (import "keep" (func $keep (param "thing" (own $t)) (result u32)))
    (import "set-mode" (func $mode (param "mode" u32)))
    (import "dropped" (func $count (result u32)))
    (import "wait" (func $wait (param "number" u32)))
    (export $x "thing" (type $t))
    (export "[constructor]thing" (func $make) (func (param "rep" u32) (result (own $x))))
    (export "[method]thing.rep" (func $rep) (func (param "self" (borrow $x)) (result u32)))
    (export "[method]thing.drop" (func $rep) (func (param "self" (borrow $x)) (result u32)))
    (export "keep" (func $keep) (func (param "thing" (own $x)) (result u32)))
    (export "set-mode" (func $mode))
    (export "dropped" (func $count))
    (export "wait" (func $wait)))
  (instance $things (instantiate $shim (with "import-type-thing" (type $thing)) (with "make" (func $make))
    (with "rep" (func $rep)) (with "keep" (func $keep)) (with "set-mode" (func $mode)) (with "dropped" (func $count))
    (with "wait" (func $wait))))
  (export "my:app/things@1.0.0" (instance $things))
"""

TRAP, LOOP, TICK, EAT = 1, 2, 3, 4
"""What `set-mode` has the destructor do once it has counted itself: the last but one calls the import `tick`."""


def things(prelude: str = "") -> bytes:
    """A component as wit-component makes them: the resource goes through a component that gives it its name."""
    return assemble(f"(component {prelude} {_THING})")


def things_without_destructor() -> bytes:
    """The same without anything to be called."""
    return assemble(re.sub(r"\(dtor \(core func \$dtor\)\)", "", f"(component {_THING})"))


def composed_things() -> bytes:
    """One around that component, which exports what the inner one does."""
    return assemble(f"""(component
        (import "tick" (func $tick (param "rep" u32)))
        (component $inner {_THING})
        (instance $i (instantiate $inner (with "tick" (func $tick))))
        (alias export $i "{THINGS}" (instance $things))
        (export "{THINGS}" (instance $things)))""")


def bare_thing() -> bytes:
    """A resource that is exported by itself, with its constructor and its destructor's count."""
    return assemble("""(component
        (core module $m
          (global $n (mut i32) (i32.const 0))
          (func (export "dtor") (param i32) (global.set $n (i32.add (global.get $n) (i32.const 1))))
          (func (export "dropped") (result i32) (global.get $n)))
        (core instance $i (instantiate $m))
        (alias core export $i "dtor" (core func $dtor))
        (alias core export $i "dropped" (core func $dropped))
        (type $r (resource (rep i32) (dtor (core func $dtor))))
        (core func $new (canon resource.new $r))
        (export $t "thing" (type $r))
        (func (export "[constructor]thing") (param "rep" u32) (result (own $t)) (canon lift (core func $new)))
        (func (export "dropped") (result u32) (canon lift (core func $dropped))))""")
