import * as drbd from '../../../../api/drbd.ts';
import { ensure } from '../../../../api/ensure.ts';
import { UsageError } from '../../../../core/errors.ts';
import { present } from '../../../../core/present.ts';
import type { Tx } from '../../../../operations.ts';
import type { Answer } from '../../../output/answer.ts';
import type { DrbdConfigCreate } from '../../../output/answers/index.ts';
import { changeOrEnsure, ensureFlag } from '../../../runtime/ensure.ts';
import { listRead, value, verb } from '../../../runtime/verb.ts';
import { protocol, wordsIn } from '../options.ts';

export default verb({
  changes: true,
  answers: 'drbd config create',
  args: { name: ['<resource>', 'name of the new resource'] },
  options: {
    hosts: value('<NAME=ADDRESS:PORT,…>', 'hosts; IPv6 as [::1]:7788; append #1 to set a node id', {
      required: true,
      read: listRead((text, name) => wordsIn(text).map((each) => hostIn(each, name))),
    }),
    volumes: value('<MINOR:DEVICE,…>', 'volumes; HOST=MINOR:DEVICE for one host only', {
      required: true,
      read: listRead((text, name) => wordsIn(text).map((each) => volumeIn(each, name))),
    }),
    protocol,
    ensure: ensureFlag(),
    set: value('<SECTION.OPTION=VALUE,…>', 'options of the sections net, disk or options, see drbd.conf(5)', {
      read: listRead((text, name) => wordsIn(text).map((each) => settingIn(each, name))),
    }),
  },
  examples: [
    'drbd config create web1 --hosts host1=10.0.0.1:7788,host2=10.0.0.2:7788 --volumes 0:/dev/vg0/web1',
  ],
  run: (runtime, { name, hosts, volumes, protocol, set, ensure: isEnsured }) => {
    refuseUnknownHost(hosts, volumes);
    const options = sectionsOf(set ?? []);
    const config = {
      name,
      hosts: hosts.map((host) => ({ ...host, volumes: volumesOf(host.name, volumes) })),
      ...present({ protocol, options }),
    };
    return changeOrEnsure(runtime, isEnsured, {
      create: () => drbd.createConfig(config),
      ensure: () => ensure.drbd.createConfig(config),
      answer: ({ name: resource, file, devices }): Answer<DrbdConfigCreate> => ({
        data: { resource, file, devices },
        lines: [
          `${name} is configured in ${file}: ${devices.join(', ')}; metadata: bofh drbd create-md ${name}`,
        ],
      }),
    });
  },
});

type NewConfig = Parameters<Tx['drbd']['createConfig']>[0];
type NewHost = NewConfig['hosts'][number];
type NewVolume = NewHost['volumes'][number];

const endpoint = /^(?<name>[^=]+)=(?:\[(?<six>[^\]]+)\]|(?<four>[^:[\]]+)):(?<port>\d+)(?:#(?<node>\d+))?$/;

function hostIn(text: string, option: string): Omit<NewHost, 'volumes'> {
  const { name, six, four, port, node } = endpoint.exec(text)?.groups ?? {};
  if (name === undefined)
    throw new UsageError(
      `${option} ${text}: must be NAME=ADDRESS:PORT, an IPv6 address in brackets; append #NUMBER for a node id`,
    );
  const nodeId = node === undefined ? undefined : Number(node);
  return { name, address: six ?? four ?? '', port: Number(port), ...present({ nodeId }) };
}

/** Parses a volume; `on` is its host, if one was typed. */
function volumeIn(text: string, option: string): NewVolume & { readonly on: string | undefined } {
  const { on, minor, disk } = /^(?:(?<on>[^=:]+)=)?(?<minor>\d+):(?<disk>\/.*)$/.exec(text)?.groups ?? {};
  if (minor === undefined || disk === undefined)
    throw new UsageError(
      `${option} ${text}: must be MINOR:DEVICE, for example 3:/dev/vg0/web1, or HOST=MINOR:DEVICE`,
    );
  return { on, minor: Number(minor), disk };
}

/** The volumes typed for this host; if there are none, those typed without a host. */
function volumesOf(host: string, all: readonly ReturnType<typeof volumeIn>[]): NewVolume[] {
  const own = all.filter(({ on }) => on === host);
  const its = own.length > 0 ? own : all.filter(({ on }) => on === undefined);
  return its.map(({ minor, disk }) => ({ minor, disk }));
}

/** Throws UsageError for a volume of a host that `--hosts` does not name. */
function refuseUnknownHost(
  hosts: readonly Pick<NewHost, 'name'>[],
  volumes: readonly ReturnType<typeof volumeIn>[],
): void {
  const names = hosts.map(({ name }) => name);
  for (const { on, minor, disk } of volumes)
    if (on !== undefined && !names.includes(on))
      throw new UsageError(
        `--volumes ${on}=${String(minor)}:${disk}: ${on} is not one of --hosts: ${names.join(', ')}`,
      );
}

type Setting = readonly [section: string, option: string, value: string];

function settingIn(text: string, name: string): Setting {
  const {
    section,
    option = '',
    value: to = '',
  } = /^(?<section>net|disk|options)\.(?<option>[\w-]+)(?:=(?<value>.*))?$/.exec(text)?.groups ?? {};
  if (section === undefined)
    throw new UsageError(
      `${name} ${text}: must be SECTION.OPTION=VALUE, for example net.verify-alg=sha256; sections are net, disk and options`,
    );
  return [section, option, to];
}

function sectionsOf(settings: readonly Setting[]): NewConfig['options'] {
  const sections: Record<string, Record<string, string>> = {};
  for (const [section, option, to] of settings) {
    if (Object.hasOwn(sections[section] ?? {}, option))
      throw new UsageError(`--set ${section}.${option} is given twice`);
    sections[section] = { ...sections[section], [option]: to };
  }
  return Object.keys(sections).length === 0 ? undefined : sections;
}
