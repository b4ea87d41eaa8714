import type { CatalogStage } from '../stage/catalog.ts';
import { StageError } from '../stage/errors.ts';

const NOTHING: object = Object.freeze({});

type Members = { [name: string]: unknown };

/**
 * The context of a stage: exactly the clients of the capabilities it names. Two capabilities that bring the same client
 * give one object with the members of both. Throws STAGE_CAPABILITY_MISSING.
 */
export function contextOf(
  entry: CatalogStage,
  path: string,
  provided: Readonly<Record<string, object>>,
): object {
  if (entry.stage.capabilities.length === 0) return NOTHING;
  const clients = new Map<string, unknown>();
  for (const capability of entry.stage.capabilities) {
    const brought = Object.hasOwn(provided, capability) ? provided[capability] : undefined;
    if (brought === undefined) {
      throw new StageError('STAGE_CAPABILITY_MISSING', { stage: entry.stage.name, path, capability });
    }
    for (const [name, client] of Object.entries(brought)) {
      clients.set(name, clients.has(name) ? joined(clients.get(name), client) : client);
    }
  }
  return Object.freeze(Object.fromEntries(clients));
}

function joined(a: unknown, b: unknown): unknown {
  if (a === b || typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return b;
  return Object.freeze({ ...members(a), ...members(b) });
}

/** Own and inherited members; methods stay bound to the client they came from. */
function members(client: object): Members {
  const found: Members = {};
  for (
    let at: object | null = client;
    at !== null && at !== Object.prototype;
    at = Object.getPrototypeOf(at) as object | null
  ) {
    for (const name of Object.getOwnPropertyNames(at)) {
      if (name === 'constructor' || Object.hasOwn(found, name)) continue;
      const value = Reflect.get(client, name) as unknown;
      found[name] =
        typeof value === 'function' ? (value as (...rest: unknown[]) => unknown).bind(client) : value;
    }
  }
  return found;
}
