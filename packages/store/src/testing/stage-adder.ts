// Adds n records to a stage store, one by one: node stage-adder.ts FILE NAME N
import { updateStageStore } from '../stage-store.ts';
import { stageRecord } from './fixtures.ts';

const [file = '', name = '', count = '0'] = process.argv.slice(2);
for (let i = 0; i < Number(count); i += 1) {
  await updateStageStore(file, (records) => [...records, stageRecord(`${name}${i}`)]);
}
