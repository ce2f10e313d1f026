// Standard error is for people; drivers write to it too.

/** Keep Linux's graphics libraries from complaining that no runtime folder is named, which none of them needs. */
export function quietenDrivers(): void {
  const variable = "XDG_RUNTIME_DIR";
  if (Deno.build.os !== "linux" || Deno.permissions.querySync({ name: "env", variable }).state !== "granted") return;
  if (!Deno.env.get(variable)) Deno.env.set(variable, "/tmp");
}
