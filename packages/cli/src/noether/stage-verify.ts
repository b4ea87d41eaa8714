import type { Distrust, RecordFault } from '@caloron/noether/records';
import { findRecord } from '@caloron/noether/records';
import { Command } from 'commander';

import { runCommand } from '../context.ts';
import { counted, type Io } from '../output.ts';
import { type AuditedRecord, auditStore } from '../store-audit.ts';
import { programCatalog } from '../stages.ts';
import { storeFile, type StoreOption, withStore } from './stage-options.ts';

interface VerifyOptions extends StoreOption {
  readonly signatures?: boolean;
  readonly properties?: boolean;
}

interface Verified {
  readonly id: string;
  readonly name: string;
  readonly ok: boolean;
  readonly faults: readonly RecordFault[];
  readonly distrust: Distrust | null;
  readonly differs: readonly RecordFault[];
  readonly claims: readonly string[];
}

/** What of an audit was asked for; both parts unless one is named. */
function judge(audited: AuditedRecord, { signatures, properties }: VerifyOptions): Verified {
  const both = (signatures === true) === (properties === true);
  const { record } = audited;
  const faults = both || signatures === true ? audited.faults : [];
  const distrust = both || signatures === true ? audited.distrust : null;
  const differs = both || signatures === true ? audited.differs : [];
  const claims = both || properties === true ? audited.claims : [];
  const ok = faults.length + differs.length + claims.length === 0 && distrust === null;
  return { id: record.id, name: record.name, ok, faults, distrust, differs, claims };
}

const DISTRUST = {
  unsigned: 'nobody signed it',
  unsealed: 'no seal covers its description, examples and code',
  author: 'it is signed by a key that is not trusted here',
  sealer: 'it was put there by a key that is not trusted here',
} as const;

function short(text: string | null): string {
  return text === null ? 'nothing' : text.slice(0, 16);
}

function lines({ id, name, faults, distrust, differs, claims }: Verified): readonly string[] {
  const said = [
    ...faults.map(
      ({ field, stored, recomputed }) =>
        `${field}: stored ${short(stored)}, ${recomputed === null ? 'which does not hold' : `recomputed ${short(recomputed)}`}`,
    ),
    ...(distrust === null ? [] : [`${DISTRUST[distrust.reason]} ${distrust.public_key ?? ''}`.trimEnd()]),
    ...differs.map(
      ({ field, stored, recomputed }) =>
        `${field} is not the program's: stored ${short(stored)}, the program's ${short(recomputed)}`,
    ),
    ...claims,
  ];
  return said.length === 0
    ? []
    : [`FAILED  ${id.slice(0, 8)}  ${name}`, ...said.map((text) => `          ${text}`)];
}

/** `noether stage verify [STAGE]`. */
export function verifyCommand(io: Io): Command {
  const command = withStore(
    new Command('verify')
      .description('recompute ids and hashes, verify signatures and seals, judge examples and properties')
      .argument('[stage]', 'name, id or a beginning of the id; all without')
      .option('--signatures', 'ids, hashes, signatures and trust only')
      .option('--properties', 'examples and properties only'),
  );
  return command.action((reference: string | undefined, options: VerifyOptions) =>
    runCommand(command, io, async (context) => {
      const file = storeFile(context, options);
      const audited = await auditStore(file, programCatalog());
      const all = audited.map(({ record }) => record);
      const one = reference === undefined ? undefined : findRecord(all, reference);
      const results = audited
        .filter(({ record }) => one === undefined || record === one)
        .map((found) => judge(found, options));
      const failed = results.filter(({ ok }) => !ok);
      return {
        data: { path: file, results, counts: { verified: results.length, failed: failed.length } },
        text: [
          ...failed.flatMap(lines),
          failed.length === 0
            ? `${counted(results.length, 'stage')} in ${file}: all as they say`
            : `${failed.length} of ${counted(results.length, 'stage')} in ${file} failed`,
        ].join('\n'),
        exit_code: failed.length === 0 ? 0 : 1,
      };
    }),
  );
}
