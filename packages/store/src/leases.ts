import type { LeaseGrant, Leases } from '@caloron/noether';
import { addMs, type Clock } from '@caloron/types';
import { z } from 'zod';

import { StoreError } from './errors.ts';
import type { Database } from './sql.ts';

const Row = z.strictObject({ holder: z.string().nullable(), fence: z.number(), expires_at: z.string() });

/** SQL that is true while lease `l` is held by its holder at :now. */
export const LEASE_CURRENT = 'l.holder IS NOT NULL AND l.expires_at > :now';

/** The leases as other tables use them inside their transactions. */
export interface LeaseTable extends Leases {
  /** Throws STORE_FENCED unless the grant is held and has not expired. */
  check(grant: LeaseGrant): void;
}

/** Named leases; expiry is judged by the store's clock. A fence grows with each grant and is never used again. */
export function createLeases(database: Database, clock: Clock): LeaseTable {
  const { db } = database;
  const select = db.prepare('SELECT holder, fence, expires_at FROM leases WHERE name = ?');
  const grant = db.prepare(
    `INSERT INTO leases (name, holder, fence, expires_at) VALUES (?, ?, 1, ?)
     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = fence + 1, expires_at = excluded.expires_at`,
  );
  // Nobody took it since: a late holder may go on.
  const extend = db.prepare('UPDATE leases SET expires_at = ? WHERE name = ? AND holder = ? AND fence = ?');
  const free = db.prepare('UPDATE leases SET holder = NULL WHERE name = ? AND holder = ? AND fence = ?');
  const read = (name: string) => {
    const row = select.get(name);
    return row === undefined ? undefined : Row.parse(row);
  };

  return {
    acquire: (name, holder, ttl_ms) =>
      database.write(() => {
        const now = clock.now();
        const held = read(name);
        if (held !== undefined && held.holder !== null && held.holder !== holder && held.expires_at > now)
          return null;
        grant.run(name, holder, addMs(now, ttl_ms));
        return { name, holder, fence: (held?.fence ?? 0) + 1 };
      }),
    renew: ({ name, holder, fence }, ttl_ms) =>
      database.write(() => extend.run(addMs(clock.now(), ttl_ms), name, holder, fence).changes === 1),
    release: ({ name, holder, fence }) => database.write(() => void free.run(name, holder, fence)),
    check: ({ name, holder, fence }) => {
      const held = read(name);
      const current =
        held !== undefined && held.holder === holder && held.fence === fence && held.expires_at > clock.now();
      if (!current) throw new StoreError('STORE_FENCED', { lease: name, fence, actual: held?.fence ?? null });
    },
  };
}
