// A reader of Python pickles (protocols 0 to 5). Think of a pickle as a program for a small stack machine: each opcode pushes
// a value, makes a container of the values since the last mark, or calls the function under its arguments. In Python those
// functions can be any; here a resolver has a whitelist of names with functions of ours for them. Every other name, and
// every opcode that could do more, is refused with its name in the message. Opcodes: Python's pickletools.py.
import { FormatError } from "../../errors/mod.ts";
import { maxPickleItems, maxPickleMemo, maxPickleObjects, maxPickleStack } from "../limits.ts";
import { PickleCursor } from "./pickle_cursor.ts";
import {
  describeValue,
  PickleDict,
  PickleFault,
  PickleGlobal,
  PickleList,
  type PickleResolver,
  type PickleValue,
} from "./pickle_values.ts";

/**
 * Read one pickle.
 *
 * @param bytes The bytes that hold it.
 * @param resolver The names it may use.
 * @param where The file's name and the offset of `bytes` in it, for messages.
 * @param start Where the pickle begins in `bytes`.
 * @returns Its value, and the position after it in `bytes`.
 * @throws {FormatError} If it is malformed, names anything that is not on the whitelist, or exceeds a bound of limits.ts.
 */
export function readPickle(
  bytes: Uint8Array,
  resolver: PickleResolver,
  where: { file: string; offset: number },
  start = 0,
): { value: PickleValue; end: number } {
  return new PickleReader(bytes, resolver, where, start).read();
}

const mark = Symbol("mark");
const emptyTuple: readonly PickleValue[] = [];
type Slot = PickleValue | typeof mark;

class PickleReader {
  readonly #stack: Slot[] = [];
  readonly #memo = new Map<number, PickleValue>();
  readonly #cursor: PickleCursor;
  #opcodeAt = 0;
  #items = 0;
  #objects = 0;

  constructor(
    bytes: Uint8Array,
    readonly resolver: PickleResolver,
    readonly where: { file: string; offset: number },
    start: number,
  ) {
    this.#cursor = new PickleCursor(bytes, start);
  }

  read(): { value: PickleValue; end: number } {
    try {
      for (;;) {
        this.#opcodeAt = this.#cursor.at;
        const opcode = this.#cursor.byte();
        if (opcode === 0x2e) return { value: this.#pop(), end: this.#cursor.at }; // STOP
        this.#run(opcode);
        if (this.#stack.length > maxPickleStack) this.#fail(`its stack holds more than ${maxPickleStack} values`);
      }
    } catch (error) {
      if (error instanceof PickleFault) this.#fail(error.message);
      throw error;
    }
  }

  #run(opcode: number): void {
    switch (String.fromCharCode(opcode)) {
      case "\x80": // PROTO
        if (this.#cursor.byte() > 5) this.#fail("its protocol is newer than 5");
        return;
      case "\x95": // FRAME
        this.#cursor.take(8);
        return;
      case "(": // MARK
        this.#stack.push(mark);
        return;
      case "0": // POP, also of a mark
        if (this.#stack.pop() === undefined) this.#fail("its stack is empty");
        return;
      case "1": // POP_MARK
        this.#sinceMark();
        return;
      case "2": // DUP
        return this.#push(this.#peek());
      default: {
        const literal = this.#cursor.literal(opcode);
        return literal === undefined ? this.#runContainer(opcode) : this.#push(literal);
      }
    }
  }

  #runContainer(opcode: number): void {
    switch (String.fromCharCode(opcode)) {
      case ")": // EMPTY_TUPLE
        return this.#push(emptyTuple);
      case "t": // TUPLE
        return this.#make(this.#sinceMark());
      case "\x85":
      case "\x86":
      case "\x87": { // TUPLE1, TUPLE2, TUPLE3
        const items = Array.from({ length: opcode - 0x84 }, () => this.#pop());
        return this.#make(items.reverse());
      }
      case "]": // EMPTY_LIST
      case "\x8f": // EMPTY_SET
        return this.#make(new PickleList());
      case "l": // LIST
      case "\x91": { // FROZENSET
        const list = new PickleList();
        this.#fill(list, this.#sinceMark());
        return this.#make(list);
      }
      case "a": { // APPEND
        const item = this.#pop();
        return this.#fill(this.#peek(), [item]);
      }
      case "e": // APPENDS
      case "\x90": { // ADDITEMS
        const items = this.#sinceMark();
        return this.#fill(this.#peek(), items);
      }
      case "}": // EMPTY_DICT
        return this.#make(new PickleDict());
      case "d": { // DICT
        const dict = new PickleDict();
        this.#fill(dict, this.#sinceMark());
        return this.#make(dict);
      }
      case "s": { // SETITEM
        const value = this.#pop(), key = this.#pop();
        return this.#fill(this.#peek(), [key, value]);
      }
      case "u": { // SETITEMS
        const entries = this.#sinceMark();
        return this.#fill(this.#peek(), entries);
      }
      default:
        return this.#runReference(opcode);
    }
  }

  #runReference(opcode: number): void {
    switch (String.fromCharCode(opcode)) {
      case "q": // BINPUT
        return this.#remember(this.#cursor.byte());
      case "r": // LONG_BINPUT
        return this.#remember(this.#cursor.uint32());
      case "p": // PUT
        return this.#remember(Number(this.#cursor.line()));
      case "\x94": // MEMOIZE
        return this.#remember(this.#memo.size);
      case "h": // BINGET
        return this.#recall(this.#cursor.byte());
      case "j": // LONG_BINGET
        return this.#recall(this.#cursor.uint32());
      case "g": // GET
        return this.#recall(Number(this.#cursor.line()));
      case "c": // GLOBAL
        return this.#push(this.#global(this.#cursor.line(), this.#cursor.line()));
      case "\x93": { // STACK_GLOBAL
        const name = this.#pop(), module = this.#pop();
        if (typeof name !== "string" || typeof module !== "string") this.#fail("it names something by no string");
        return this.#push(this.#global(module, name));
      }
      case "R": // REDUCE
      case "\x81": { // NEWOBJ
        const args = this.#pop(), callee = this.#pop();
        const made = this.#call(callee, args);
        if (made instanceof PickleDict) this.#count(made.entries.length);
        return this.#make(made);
      }
      case "b": { // BUILD: only the attributes of an OrderedDict (state_dict's _metadata), which are not needed
        const state = this.#pop(), target = this.#peek();
        if (target instanceof PickleDict && state instanceof PickleDict) return;
        return this.#fail(`it sets the state of ${describeValue(target)}, which is not allowed`);
      }
      case "Q": // BINPERSID
        return this.#make(this.resolver.persistentLoad(this.#pop()));
      default:
        return this.#refuse(opcode);
    }
  }

  #refuse(opcode: number): never {
    const names: Record<number, string> = {
      0x69: "INST",
      0x6f: "OBJ",
      0x82: "EXT1",
      0x83: "EXT2",
      0x84: "EXT4",
      0x92: "NEWOBJ_EX",
      0x50: "PERSID",
      0x53: "STRING",
      0x97: "NEXT_BUFFER",
      0x98: "READONLY_BUFFER",
    };
    const name = names[opcode];
    if (name === "INST") this.#fail(`it calls ${this.#cursor.line()}.${this.#cursor.line()}, which is not allowed`);
    this.#fail(name ? `its opcode ${name} is not allowed` : `0x${opcode.toString(16).padStart(2, "0")} is no opcode`);
  }

  #global(module: string, name: string): PickleGlobal {
    const found = this.resolver.findGlobal(module, name);
    if (!found) {
      this.#fail(`it names ${module.slice(0, 80)}.${name.slice(0, 80)}, which is not allowed in a checkpoint`);
    }
    return found;
  }

  #call(callee: PickleValue, args: PickleValue): PickleValue {
    if (!(callee instanceof PickleGlobal) || !callee.call) {
      this.#fail(`it calls ${describeValue(callee)}, which cannot be called`);
    }
    if (!Array.isArray(args)) this.#fail(`it calls ${callee.name} with ${describeValue(args)}, expected a tuple`);
    return callee.call(args);
  }

  #fill(target: PickleValue, items: PickleValue[]): void {
    const into = target instanceof PickleDict
      ? target.entries
      : target instanceof PickleList
      ? target.items
      : this.#fail(`it adds items to ${describeValue(target)}`);
    if (target instanceof PickleDict && items.length % 2 !== 0) this.#fail("a key of a dictionary has no value");
    this.#count(items.length);
    for (const item of items) into.push(item);
  }

  #remember(index: number): void {
    if (!Number.isSafeInteger(index) || index < 0) this.#fail("it remembers a value under no whole number");
    this.#memo.set(index, this.#peek());
    if (this.#memo.size > maxPickleMemo) this.#fail(`it remembers more than ${maxPickleMemo} values`);
  }

  #recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) this.#fail(`it recalls value ${index}, which was never remembered`);
    this.#push(value);
  }

  /** Push a new container or object. */
  #make(value: PickleValue): void {
    if (++this.#objects > maxPickleObjects) this.#fail(`it makes more than ${maxPickleObjects} objects`);
    if (Array.isArray(value)) this.#count(value.length);
    this.#stack.push(value);
  }

  #count(items: number): void {
    this.#items += items;
    if (this.#items > maxPickleItems) this.#fail(`its containers hold more than ${maxPickleItems} values`);
  }

  #push(value: PickleValue): void {
    this.#stack.push(value);
  }

  #pop(): PickleValue {
    const value = this.#peek();
    this.#stack.pop();
    return value;
  }

  #peek(): PickleValue {
    const value = this.#stack.at(-1);
    if (value === undefined || value === mark) this.#fail("its stack is empty");
    return value;
  }

  #sinceMark(): PickleValue[] {
    const at = this.#stack.lastIndexOf(mark);
    if (at < 0) this.#fail("its stack has no mark");
    const items = this.#stack.splice(at);
    items.shift();
    return items as PickleValue[];
  }

  #fail(reason: string): never {
    const offset = this.where.offset + this.#opcodeAt;
    throw new FormatError(`Cannot read ${this.where.file}: at byte ${offset} of the pickle, ${reason}`, {
      file: this.where.file,
      offset,
    });
  }
}
