import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';

import ipaddr from 'ipaddr.js';

import { SchedulerError } from './errors.ts';

/** Which addresses webhooks may go to: those of the internet, and what an operator lists. */
export interface AddressRule {
  /** Throws WEBHOOK_ADDRESS_REFUSED for a host that is a refused address itself. */
  check(host: string): void;
  /** Finds a name's addresses and gives the permitted ones alone, so that the address that is connected to is the one that was checked. */
  readonly lookup: LookupFunction;
}

type Resolver = (
  host: string,
  done: (error: NodeJS.ErrnoException | null, found: readonly LookupAddress[]) => void,
) => void;

const bySystem: Resolver = (host, done) => systemLookup(host, { all: true }, done);

/**
 * Asks once for those who ask for the same name at the same time. The system looks up two names at once in a process: one that hangs is not to hold
 * up those of others, as the host of a tick's forge.
 */
function together(resolve: Resolver): Resolver {
  const asked = new Map<string, Parameters<Resolver>[1][]>();
  return (host, done) => {
    const others = asked.get(host);
    if (others !== undefined) return void others.push(done);
    const all = [done];
    asked.set(host, all);
    resolve(host, (error, found) => {
      asked.delete(host);
      for (const one of all) one(error, found);
    });
  };
}

/** A host as URLs have it, without the brackets of IPv6. */
const bare = (host: string): string => host.replace(/^\[|\]$/g, '').toLowerCase();

/** What kind of address it is, after the registries of IANA; `unicast` is the internet. IPv4 within IPv6 is seen through. */
function rangeOf(address: string): string {
  return ipaddr.process(address.replace(/%.*$/u, '')).range();
}

type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

function networkOf(entry: string): Network | undefined {
  const text = bare(entry);
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text);
  if (isIP(text) === 0) return undefined;
  const address = ipaddr.process(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

function isIn(address: string, [network, bits]: Network): boolean {
  const given = ipaddr.process(address.replace(/%.*$/u, ''));
  return given.kind() === network.kind() && given.match(network, bits);
}

/**
 * The rule over a list of hosts, addresses and networks (`10.0.0.0/8`) that are permitted beside the internet. A host that is listed
 * by its name is permitted wherever it is. `ask` is the system's when absent.
 */
export function createAddressRule(allow: readonly string[], ask: Resolver = bySystem): AddressRule {
  const resolve = together(ask);
  const networks = allow.map(networkOf).filter((network) => network !== undefined);
  const names = new Set(allow.filter((entry) => networkOf(entry) === undefined).map(bare));
  const refusal = (host: string, address: string): SchedulerError | undefined => {
    const range = rangeOf(address);
    if (range === 'unicast' || names.has(bare(host))) return undefined;
    if (networks.some((network) => isIn(address, network))) return undefined;
    return new SchedulerError('WEBHOOK_ADDRESS_REFUSED', { host, address, range });
  };
  return {
    check: (host) => {
      const literal = bare(host);
      const refused = isIP(literal) === 0 ? undefined : refusal(literal, literal);
      if (refused !== undefined) throw refused;
    },
    lookup: (host, options, done) =>
      resolve(host, (error, found) => {
        if (error !== null) return done(error, []);
        const permitted = found.filter(({ address }) => refusal(host, address) === undefined);
        const [first] = permitted;
        if (first === undefined) return done(refusal(host, found[0]?.address ?? '0.0.0.0') ?? null, []);
        if (options.all === true) done(null, permitted);
        else done(null, first.address, first.family);
      }),
  };
}
