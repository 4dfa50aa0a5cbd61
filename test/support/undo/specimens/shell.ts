import type { Specimens } from '../specimens.ts';

const noContent = {
  'foreign content': 'what a script writes only its own undo knows',
  'identity reused': 'its probe says what is done, whoever did it',
  'the world moved on': 'nothing of a script has a number that a boot changes',
} as const;

const script = { name: 'cache', isDone: 'test -e /srv/cache', run: 'mkdir /srv/cache' };

export const shell: Specimens['shell'] = {
  run: [
    {
      title: 'with an undo',
      stage: () => (tx) => tx.shell.run({ ...script, undo: ['rmdir', '/srv/cache'] }),
      notApplicable: noContent,
    },
    {
      title: 'without an undo',
      stage: () => (tx) => tx.shell.run({ ...script, undo: 'none' }),
      notApplicable: noContent,
    },
  ],
};
