import { leaseFields } from '../check/check.ts';
import type { LeaseSpec } from '../graph/ast.ts';
import { GraphError } from '../graph/errors.ts';
import type { Json, LeaseGrant, Leases } from '../ports.ts';
import { isObject } from '../types/value.ts';
import { LONGEST_MS } from './wait.ts';

/** A lease a run holds and renews until it is released. */
export interface HeldLease {
  readonly grant: LeaseGrant;
  /** Stops renewing and gives the lease back. */
  release(): Promise<void>;
}

/** The lease's name with the input's fields filled in. Throws GRAPH_LEASE_INVALID. */
export function leaseName(spec: LeaseSpec, input: Json): string {
  return leaseFields(spec.name).reduce((name, field) => {
    const value = isObject(input) && Object.hasOwn(input, field) ? input[field] : undefined;
    if (typeof value !== 'string' || value === '') {
      throw new GraphError('GRAPH_LEASE_INVALID', {
        name: spec.name,
        reason: `the input has no text in \`${field}\``,
      });
    }
    return name.replaceAll(`{${field}}`, value);
  }, spec.name);
}

/** Takes the lease, and calls `lost` when it cannot be kept. Null when another run holds it. */
export async function holdLease(
  leases: Leases,
  spec: LeaseSpec,
  holder: { readonly name: string; readonly run_id: string },
  lost: (error: GraphError) => void,
): Promise<HeldLease | null> {
  const grant = await leases.acquire(holder.name, holder.run_id, spec.ttl_ms);
  if (!grant) return null;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let renewed_at = performance.now();
  const renew = async (): Promise<void> => {
    const asked_at = performance.now();
    try {
      if (await leases.renew(grant, spec.ttl_ms)) renewed_at = asked_at;
      else return fail();
    } catch {
      // A store that is busy now may answer at the next turn; only time ends the lease.
      if (performance.now() - renewed_at >= spec.ttl_ms) return fail();
    }
    next();
  };
  const next = (): void => {
    if (!stopped) timer = setTimeout(() => void renew(), Math.min(spec.renew_ms, LONGEST_MS));
  };
  const fail = (): void => {
    if (!stopped) lost(new GraphError('GRAPH_LEASE_LOST', { name: grant.name }, { retryable: true }));
    stopped = true;
  };
  next();
  return {
    grant,
    release: async () => {
      stopped = true;
      clearTimeout(timer);
      await leases.release(grant);
    },
  };
}
