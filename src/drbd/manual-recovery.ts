import type { ManualRecovery } from '../core/errors.ts';

const words = {
  up: 'is up',
  down: 'is no longer up',
  primary: 'is primary on this host',
  secondary: 'is no longer primary on this host',
} as const;

const inverse = { up: 'down', down: 'up', primary: 'secondary', secondary: 'primary' } as const;

/** Manual recovery common to all operations on a whole resource. */
export function stateRecovery({
  undo: { name, minors, to },
}: {
  readonly undo: {
    readonly name: string;
    readonly minors: readonly number[];
    readonly to: keyof typeof words;
  };
}): ManualRecovery {
  const devices = minors.map((minor) => `/dev/drbd${String(minor)}`);
  return {
    what: `the DRBD resource ${name} (${devices.join(', ')}), which ${words[to]}`,
    look: [
      ['drbdsetup', 'status', name],
      ['fuser', '--verbose', ...devices],
    ],
    clear: [['drbdadm', inverse[to], name]],
  };
}
