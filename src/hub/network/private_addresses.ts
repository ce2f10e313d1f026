// Which addresses are private, and refusing connections to them. A name is resolved once, so that the address that was
// checked is the one that is connected to.
import { lookup as lookupAddress } from "node:dns";
import { BlockList, isIP } from "node:net";
import { HubError } from "../../errors/mod.ts";
import { proxyOf } from "../environment.ts";

const notPublic = new BlockList();
for (
  const [net, prefix] of [
    ...[["0.0.0.0", 8], ["10.0.0.0", 8], ["100.64.0.0", 10], ["127.0.0.0", 8], ["169.254.0.0", 16]],
    ...[["172.16.0.0", 12], ["192.0.0.0", 24], ["192.0.2.0", 24], ["192.168.0.0", 16], ["198.18.0.0", 15]],
    ...[["198.51.100.0", 24], ["203.0.113.0", 24], ["224.0.0.0", 4], ["240.0.0.0", 4]],
  ] as [string, number][]
) notPublic.addSubnet(net, prefix, "ipv4");

/** The IPv6 addresses that are public: global unicast, without those that stand for other addresses or for examples below. */
const globalUnicast = new BlockList();
globalUnicast.addSubnet("2000::", 3, "ipv6");
const specialUnicast = new BlockList();
for (
  const [net, prefix] of [["2001::", 23], ["2001:db8::", 32], ["2002::", 16], ["3fff::", 20]] as [string, number][]
) {
  specialUnicast.addSubnet(net, prefix, "ipv6");
}

/** The IPv6 addresses by which networks without IPv4 reach it (RFC 6052): as public as the address at their end. */
const nat64 = new BlockList();
nat64.addSubnet("64:ff9b::", 96, "ipv6");

/** The IPv4 address at the end of an IPv6 one. */
function lastFourBytes(address: string): string {
  const groups = new URL(`http://[${address}]`).hostname.slice(1, -1).split(":");
  const [high, low] = groups.slice(-2).map((group) => parseInt(group || "0", 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/**
 * Whether an address is anything but a public one: a loopback, private, link-local, shared, reserved or multicast
 * address. Of the IPv6 addresses that stand for IPv4 ones only those of NAT64 can be public.
 *
 * @param address An IPv4 or IPv6 address, without brackets.
 */
export function isPrivateAddress(address: string): boolean {
  const [bare] = address.split("%");
  if (isIP(bare) === 4) return notPublic.check(bare, "ipv4");
  const translated = isIP(bare) === 6 && nat64.check(bare, "ipv6") ? lastFourBytes(bare) : undefined;
  if (translated) return notPublic.check(translated, "ipv4");
  if (isIP(bare) === 6) return !globalUnicast.check(bare, "ipv6") || specialUnicast.check(bare, "ipv6");
  return true;
}

/** An address that a name stands for. */
export interface Address {
  readonly address: string;
  readonly family: number;
}

/** How names are resolved and which addresses are private; tests pass their own. */
export interface Network {
  /** All addresses of a host. */
  resolve(host: string): Promise<readonly Address[]>;
  /** Whether an address is private, so that no redirect of a public server may lead there. */
  isPrivate(address: string): boolean;
}

/** The system's resolver, and the ranges that are reserved. */
export const systemNetwork: Network = {
  resolve: (host) =>
    new Promise((resolve, reject) => {
      const bare = host.replace(/^\[(.*)\]$/, "$1");
      if (isIP(bare)) return resolve([{ address: bare, family: isIP(bare) }]);
      lookupAddress(bare, { all: true }, (error, found) => error ? reject(explained(error, bare)) : resolve(found));
    }),
  isPrivate: isPrivateAddress,
};

/** Deno's resolver for Node has no other error than this for a permission that lacks. */
function explained(error: Error & { code?: string }, host: string): Error {
  if (error.code !== "EPERM") return error;
  return new Deno.errors.NotCapable(`Requires net access to "${host}", run again with the --allow-net flag`);
}

/**
 * The addresses of a host, if all of them are public.
 *
 * @throws {HubError} If one is private. One is enough, since the name's owner decides which one the next look-up returns.
 */
export async function publicAddresses(url: URL, network: Network = systemNetwork): Promise<readonly Address[]> {
  const found = await network.resolve(url.hostname);
  const inside = found.find(({ address }) => network.isPrivate(address));
  if (!inside) return found;
  const where = inside.address === url.hostname.replace(/[[\]]/g, "") ? "it" : `${url.hostname} (${inside.address})`;
  throw new HubError(
    `Cannot fetch ${url.origin}${url.pathname}: ${where} is a private address, expected a public one`,
    {
      code: "not-allowed",
    },
  );
}

/** Whether a host has a private address. Where a proxy resolves names, only an address that is written out counts. */
export async function isPrivateHost(url: URL, network: Network = systemNetwork): Promise<boolean> {
  if (proxyOf(url) && !isIP(url.hostname.replace(/[[\]]/g, ""))) return false;
  const found = await network.resolve(url.hostname).catch(() => []);
  return found.some(({ address }) => network.isPrivate(address));
}
