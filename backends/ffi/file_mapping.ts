// Files in memory, by the C library's mmap: pages are read when they are touched, shared by all sessions, and given back
// to the system when it needs room. Windows has no mmap.

const libraries: Readonly<Record<string, string>> = { linux: "libc.so.6", darwin: "libSystem.B.dylib" };

const symbols = {
  // int open(const char *path, int flags, ...)
  open: { parameters: ["buffer", "i32"], result: "i32" },
  // int close(int fd)
  close: { parameters: ["i32"], result: "i32" },
  // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  // int madvise(void *addr, size_t length, int advice)
  madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  // int munmap(void *addr, size_t length)
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** PROT_READ, MAP_SHARED and MADV_DONTNEED of sys/mman.h, and MAP_FAILED. */
const [readable, shared, unneeded, failed] = [1, 1, 4, 2n ** 64n - 1n];

/** A whole file in memory, which may only be read. */
export class FileMapping implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof symbols>;
  readonly #address: Deno.PointerObject;
  readonly #length: bigint;
  readonly #path: string;
  readonly #file: Deno.FileInfo;

  private constructor(
    library: Deno.DynamicLibrary<typeof symbols>,
    address: Deno.PointerObject,
    path: string,
    file: Deno.FileInfo,
  ) {
    this.#library = library;
    this.#address = address;
    this.#length = BigInt(file.size);
    this.#path = path;
    this.#file = file;
  }

  /**
   * Map a file.
   *
   * @returns The mapping, or undefined where the file cannot be mapped and must be read.
   */
  static open(path: string): FileMapping | undefined {
    const name = libraries[Deno.build.os];
    if (!name) return;
    const library = Deno.dlopen(name, symbols);
    const { open, close, mmap } = library.symbols;
    const file = open(new TextEncoder().encode(path + "\0"), 0);
    if (file >= 0) {
      const info = Deno.statSync(path);
      const address = mmap(null, BigInt(info.size), readable, shared, file, 0n);
      close(file);
      if (address && BigInt(Deno.UnsafePointer.value(address)) !== failed) {
        return new FileMapping(library, address, path, info);
      }
    }
    library.close();
  }

  /** Whether the path still has the file that is mapped. */
  get isCurrent(): boolean {
    const { dev, ino } = Deno.statSync(this.#path);
    return dev === this.#file.dev && ino === this.#file.ino;
  }

  /** The address of a byte of the file. */
  at(offset: number): Deno.PointerObject {
    return Deno.UnsafePointer.offset(this.#address, offset)!;
  }

  /** Release the pages that are in memory; a page that is touched again is read again, mostly from the system's cache. */
  releasePages(): void {
    this.#library.symbols.madvise(this.#address, this.#length, unneeded);
  }

  /** Unmap the file; no address of it may be used any more. */
  [Symbol.dispose](): void {
    this.#library.symbols.munmap(this.#address, this.#length);
    this.#library.close();
  }
}
