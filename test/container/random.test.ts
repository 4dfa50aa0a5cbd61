import { beforeAll } from 'vitest';
import { testRandomDescriptions } from '../support/containers/random-descriptions.ts';
import { inContainers } from '../support/containers/releases.ts';

inContainers((machine, { suite }) => {
  beforeAll(async () => {
    await machine.must('mount -o remount,bind,rw /proc/sys');
  });
  testRandomDescriptions(machine, { suite, secondsEach: 60 });
});
