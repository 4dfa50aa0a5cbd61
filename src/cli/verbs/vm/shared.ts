import type { Verb } from '../../runtime/verb.ts';

/** A verb of guests that two nouns have, with the examples of one of them. */
export function under(noun: 'vm' | 'xen', load: () => Promise<{ readonly default: Verb }>) {
  return async (): Promise<{ readonly default: Verb }> => {
    const { default: verb } = await load();
    return {
      default: {
        ...verb,
        answers: verb.answers.map((each) => each.replace(/^(?:vm|xen) /, `${noun} `) as typeof each),
        examples: verb.examples.map((each) => each.replace(/\b(?:vm|xen) /, `${noun} `)),
      },
    };
  };
}
