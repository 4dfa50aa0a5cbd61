import { type Bytes, parseSize } from '../../core/units.ts';
import type { Domain } from '../world/parts.ts';
import { addDomain } from '../tools/xen/domains.ts';
import type { World } from '../world/world.ts';
import { type WrapAct, must } from './act.ts';

const mib = 1024 ** 2;

/** Acts of an administrator on domains. */
export interface DomainAdmin {
  /** Starts a domain without `xl` (default: 256 MiB, one virtual CPU and no disk). */
  startDomain(
    make: Pick<Domain, 'name'> &
      Partial<Pick<Domain, 'uuid' | 'vcpus' | 'state' | 'built' | 'disks' | 'nics' | 'agent'>> & {
        /** In bytes or as text: `128m`. */
        readonly memory?: Bytes | string;
        /** The most that it may get (default: what it has). */
        readonly most?: {
          /** In bytes or as text: `1g`. */
          readonly memory: Bytes | string;
          /** Virtual CPUs. */
          readonly vcpus: number;
        };
      },
  ): Domain;
  /** Ends a domain at once. */
  destroyDomain(name: string): void;
  /** Sets the state of a domain that exists. */
  setDomain(name: string, state: Domain['state']): void;
}

/** Returns these methods for a simulated host. */
export function domainActs(world: World, does: WrapAct): DomainAdmin {
  const domainOf = (name: string) =>
    must(
      world.domains.find((each) => each.name === name),
      `domain ${name}`,
    );
  return {
    startDomain: does(({ memory = '256m', most, ...make }) =>
      addDomain(world, {
        uuid: world.ids.uuid(),
        vcpus: 1,
        state: 'blocked',
        disks: [],
        ...make,
        memoryMiB: parseSize(memory) / mib,
        ...(most === undefined
          ? {}
          : { most: { memoryMiB: parseSize(most.memory) / mib, vcpus: most.vcpus } }),
      }),
    ),
    destroyDomain: does((name) => {
      const domain = domainOf(name);
      world.domains = world.domains.filter((each) => each !== domain);
    }),
    setDomain: does((name, state) => void (domainOf(name).state = state)),
  };
}
