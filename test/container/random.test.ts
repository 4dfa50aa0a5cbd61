import { testRandomDescriptions } from '../support/containers/random-descriptions.ts';
import { inContainers } from '../support/containers/releases.ts';

inContainers((machine, { suite }) => {
  testRandomDescriptions(machine, { suite, secondsEach: 60 });
});
