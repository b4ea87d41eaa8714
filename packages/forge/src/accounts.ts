import { epochMs, type Clock } from '@caloron/types';
import path from 'node:path';
import { systemClock } from '@caloron/capabilities/clock';
import { openSql, type Sql } from './database.ts';
import { LocalForgeError } from './errors.ts';
import {
  dropToken,
  dropTokensOf,
  listAccounts,
  markRemoved,
  userByLogin,
  type Account,
  type User,
} from './model/users.ts';

async function withDatabase<T>(data: string, work: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = openSql(path.resolve(data));
  try {
    return await work(sql);
  } finally {
    sql.close();
  }
}

function namedUser(sql: Sql, login: string): User {
  const user = userByLogin(sql, login);
  if (user !== undefined) return user;
  const expected = 'the login of a user of this forge';
  const hint = 'caloron-forge user list';
  throw new LocalForgeError(
    'LOCAL_FORGE_OPTION_INVALID',
    { option: 'LOGIN', given: login, expected },
    { hint },
  );
}

/** The users of a forge and how many tokens each has; works while a server runs. Throws LOCAL_FORGE_DATA_DAMAGED. */
export async function listUsers(data: string): Promise<readonly Account[]> {
  return withDatabase(data, async (sql) => listAccounts(sql));
}

/**
 * Takes a user's tokens and permissions away, from the next request on. What they wrote stays, with nobody as its author, as
 * on GitHub; adding the login again brings the user back. Throws LOCAL_FORGE_OPTION_INVALID for a login nobody has.
 */
export async function removeUser(
  data: string,
  login: string,
  clock: Clock = systemClock,
): Promise<{ readonly login: string; readonly revoked: number }> {
  return withDatabase(data, async (sql) => {
    const user = namedUser(sql, login);
    const at_ms = epochMs(clock.now());
    const revoked = await sql.write(() => {
      markRemoved(sql, user.id, at_ms);
      return dropTokensOf(sql, user.id);
    });
    return { login: user.login, revoked };
  });
}

/**
 * Revokes one token, or all of a login, from the next request on; gives how many there were.
 * Throws LOCAL_FORGE_OPTION_INVALID for a login nobody has.
 */
export async function revokeTokens(
  data: string,
  of: { readonly token: string } | { readonly login: string },
): Promise<{ readonly revoked: number }> {
  return withDatabase(data, async (sql) => {
    const revoked =
      'token' in of
        ? await sql.write(() => dropToken(sql, of.token))
        : await sql.write(() => dropTokensOf(sql, namedUser(sql, of.login).id));
    return { revoked };
  });
}
