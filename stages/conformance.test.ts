import { describe, expect, it } from 'vitest';

import { listing } from './listing.ts';
import { conforms } from './testing/conformance.ts';
import { dagPorts } from './testing/ports/dag.ts';
import { githubPort } from './testing/ports/github.ts';
import { kickoffPort } from './testing/ports/kickoff.ts';
import { reportPort } from './testing/ports/report.ts';
import { retroPorts } from './testing/ports/retro.ts';
import { sprintPorts } from './testing/ports/sprint.ts';
import { supervisorPorts } from './testing/ports/supervisor.ts';
import { differingFiles, goldenFiles } from './testing/vectors.ts';

const ports = [
  ...dagPorts,
  githubPort,
  kickoffPort,
  ...retroPorts,
  reportPort,
  ...sprintPorts,
  ...supervisorPorts,
];

const PLANNING =
  'A kickoff plans in one step, generate_sprint_dag: design, architecture, development and review of a plan are no stages of their own.';

/** Stages of the original that we have none for, and why. */
const notOurs: Readonly<Record<string, string>> = {
  phases_architect_po: PLANNING,
  phases_design_po: PLANNING,
  phases_dev_po: PLANNING,
  phases_phases_to_sprint_tasks: PLANNING,
  phases_review_po: PLANNING,
};

describe('the golden files', () => {
  it('are each put to our stages, or not ours for a reason', () => {
    const known = [...ports.map(({ file }) => file), ...Object.keys(notOurs)];

    expect(known.toSorted()).toEqual(goldenFiles().toSorted());
  });

  it('are put to stages there are', () => {
    const names = new Set(listing.map(({ name }) => name));
    const counterparts = ports
      .flatMap((port) => port.counterparts)
      .map((one) => one.replace('Project before ', ''));

    expect(counterparts.filter((name) => !names.has(name))).toEqual([]);
  });

  it('are the only ones a difference is recorded for', () => {
    expect(differingFiles().filter((file) => !ports.some((port) => port.file === file))).toEqual([]);
  });
});

for (const port of ports) conforms(port);
