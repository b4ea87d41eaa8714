import { buildTickOutput } from '../../sprint/build_tick_output.ts';
import { fieldsIn, refuses } from '../conformance.ts';
import type { Port } from '../conformance.ts';
import { projectPorts } from './sprint_project.ts';
import { statePorts } from './sprint_state.ts';
import { isObject, standIn } from './sprint_values.ts';

const build: Port = {
  file: 'sprint_build_tick_output',
  counterparts: ['build_tick_output'],
  run: ({ input }) => {
    const { execute_result, poll } = input;
    const executed = isObject(execute_result) ? fieldsIn(execute_result) : {};
    const given = isObject(poll) ? fieldsIn(poll)['polled_at'] : poll;
    const first = { ...executed, stuck: {}, complete: false, last_seq: 0 };
    const output = buildTickOutput.call(
      buildTickOutput.input.parse({ now: standIn(given), first, rounds: [] }),
      {},
    );
    return { actions_taken: output.actions_taken, errors: output.errors, polled_at: output.polled_at };
  },
  // The state and the interventions are made true by commit_tick and commit_supervision, before anything is done.
  shared: (output) => {
    const { actions_taken, errors, polled_at } = fieldsIn(output);
    return { actions_taken, errors, polled_at: standIn(polled_at) };
  },
  rules: [
    refuses(
      'A damaged value is an error that names its place; it is never replaced by an empty default.',
      (row) => {
        const { execute_result, poll } = row.input;
        const { actions_taken, errors } = fieldsIn(execute_result);
        return !Array.isArray(actions_taken) || !Array.isArray(errors) || !fieldsIn(poll)['polled_at'];
      },
    ),
  ],
};

/** The stages of the original's `sprint/`. */
export const sprintPorts: readonly Port[] = [build, ...projectPorts, ...statePorts];
