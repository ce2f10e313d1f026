// The C library's heap, from which ONNX Runtime takes its memory. By itself glibc keeps what large buffers took for the next ones,
// once for each thread that ever ran; told to, it gives them back to the system when they are freed.

const symbols = {
  // int mallopt(int param, int value)
  mallopt: { parameters: ["i32", "i32"], result: "i32" },
  // int malloc_trim(size_t pad)
  malloc_trim: { parameters: ["usize"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Parameters of glibc's malloc.h, and what they are set to: M_MMAP_THRESHOLD and M_TRIM_THRESHOLD in bytes, M_ARENA_MAX. */
const settings = [[-3, 128 << 10], [-1, 128 << 10], [-8, 1]] as const;

let library: Deno.DynamicLibrary<typeof symbols> | undefined | null = null;

/**
 * Have large buffers that are freed given back to the system at once, in this process, from now on, and what is free of small
 * ones now. Nothing happens where the C library is not glibc.
 */
export function giveBackFreedMemory(): void {
  if (library === null) {
    library = Deno.build.os === "linux" ? openLibrary() : undefined;
    for (const [parameter, value] of settings) library?.symbols.mallopt(parameter, value);
  }
  library?.symbols.malloc_trim(0n);
}

function openLibrary(): typeof library {
  try {
    return Deno.dlopen("libc.so.6", symbols);
  } catch {
    return undefined; // another C library: what it keeps is its own affair
  }
}
