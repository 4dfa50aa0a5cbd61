import { UsageError } from '../../../core/errors.ts';
import { present } from '../../../core/present.ts';
import { guestConfig, type GuestConfig, parseConfig } from '../../../xen/config/index.ts';
import { unmodelled } from '../../options.ts';
import { resolve } from '../../world/resolve.ts';
import { vdevNumber } from '../../world/virtual.ts';
import type { Domain, DomainDisk } from '../../world/parts.ts';
import type { World } from '../../world/world.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { xlInfo, xlList, xlLongList } from './xl-list.ts';

import { addDomain, complaintOf, giveUp, refusalOfScript, refusalOfVifScript } from './domains.ts';

/** xl (Xen 4.17). It exits with 1, or with 3 where libxl failed. */
export const xlTools: Readonly<Record<string, ToolModel>> = { xl };

function xl(call: ToolCall): ReturnType<ToolModel> {
  const { world, argv } = call;
  const line = argv.join(' ');
  if (line === 'list -v') return ok(xlList(world));
  if (line === 'list -l') return ok(xlLongList(world));
  if (line === 'info') return ok(xlInfo(world));
  const [verb, ...words] = argv[0] === '-N' ? ['check', ...argv.slice(2)] : argv;
  if (argv[0] === '-N' && argv[1] !== 'create') throw unmodelled(call, 'it knows -N with create alone');
  if (verb === 'check') return check(call, words);
  if (verb === 'create') return create(call, words);
  if (verb === 'destroy') return destroy(call, words);
  if (verb === 'shutdown' && /^(?:-F )?-w(?: -w)?$/.test(words.slice(0, -1).join(' ')))
    return shutdown(call, words.at(-1) ?? '');
  if (verb === 'pause') return pausing(call, words, 1);
  if (verb === 'unpause') return pausing(call, words, -1);
  if (verb === 'mem-set') return memSet(call, words);
  if (verb === 'vcpu-set' && words[0] === '--ignore-host') return vcpuSet(call, words.slice(1));
  if (verb === 'block-attach') return blockAttach(call, words);
  if (verb === 'network-attach') return networkAttach(call, words);
  if (verb === 'network-detach') return networkDetach(call, words);
  if (verb === 'block-detach') return blockDetach(call, words);
  if (verb === 'sched-credit2' && words[0] === '-d' && words[2] === '-w')
    return weigh(call, words[1] ?? '', words.slice(3));
  throw unmodelled(call, 'the model does not know the verb or one of its options');
}

interface Asked {
  readonly path: string;
  readonly guest: GuestConfig;
  readonly uuid: string;
  readonly paused: boolean;
}

/** Reads the named config file as xl does; values on the command line replace those of the file. */
function asked(call: ToolCall, words: readonly string[]): Asked | ReturnType<ToolModel> {
  const [path = '', ...rest] = words;
  const there = resolve(call.world, path, 'follow');
  if (!there.found || there.inode.content === undefined)
    return failed(3, `Failed to read config file: ${path}: No such file or directory`);
  const uuid = rest
    .flatMap((word) => /^uuid=["']?(?<uuid>[0-9a-f-]{36})["']?$/.exec(word)?.groups?.uuid ?? [])
    .at(-1);
  const paused = rest.includes('-p');
  if (rest.some((word) => word !== '-p' && !word.startsWith('uuid=')))
    throw unmodelled(call, 'the model knows no argument after the config file');
  try {
    const guest = guestConfig(parseConfig({ text: there.inode.content, file: path }));
    return { path, guest, uuid: uuid ?? guest.uuid ?? call.world.ids.uuid(), paused };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return failed(
      1,
      `Parsing config from ${path}\n${error.message}\nFailed to parse config: Invalid argument`,
    );
  }
}

function check(call: ToolCall, words: readonly string[]): ReturnType<ToolModel> {
  const wanted = asked(call, words);
  if ('exitCode' in wanted) return wanted;
  const { guest, uuid, path } = wanted;
  const info = {
    c_info: { type: guest.type, name: guest.name, uuid, run_hotplug_scripts: 'True' },
    b_info: {
      max_vcpus: guest.vcpus,
      max_memkb: guest.memoryMiB * 1024,
      target_memkb: guest.memoryMiB * 1024,
    },
    disks: guest.disks.map(({ path: target, vdev, format }) => ({ pdev_path: target, vdev, format })),
  };
  return ok(`${JSON.stringify(info, undefined, 4)}\n`, `Parsing config from ${path}\n`);
}

function create(call: ToolCall, words: readonly string[]): ReturnType<ToolModel> {
  const { world } = call;
  const wanted = asked(call, words);
  if ('exitCode' in wanted) return wanted;
  const { path, guest, uuid, paused } = wanted;
  const said = `Parsing config from ${path}\n`;
  const disks: DomainDisk[] = [];
  const complaint = complaintOf(world, guest, disks);
  if (complaint !== undefined) return failed(3, `${said}${complaint}\n${giveUp(world)}`);
  const { maxMemoryMiB = guest.memoryMiB, maxVcpus = guest.vcpus } = guest;
  const most = { memoryMiB: maxMemoryMiB, vcpus: maxVcpus };
  const { weight } = guest;
  const state = paused ? 'paused' : 'blocked';
  const nics = guest.vifs.flatMap(({ mac, bridge = '' }) => (mac === undefined ? [] : [{ mac, bridge }]));
  addDomain(world, { ...guest, uuid, disks, nics, most, state, ...present({ weight }) });
  return ok('', said);
}

function destroy(call: ToolCall, [id = '', ...more]: readonly string[]): ReturnType<ToolModel> {
  if (more.length > 0) throw unmodelled(call, 'it destroys one domain');
  const domain = domainOf(call.world, id);
  if (domain === undefined && !/^\d+$/.test(id))
    return failed(1, `${id} is an invalid domain identifier (rc=-6)`);
  if (domain === undefined)
    return failed(
      1,
      `libxl: error: libxl_domain.c:1183:libxl__destroy_domid: Domain ${id}:Non-existant domain\nlibxl: error: libxl_domain.c:1137:domain_destroy_callback: Domain ${id}:Unable to destroy guest\nlibxl: error: libxl_domain.c:1064:domain_destroy_cb: Domain ${id}:Destruction of domain failed\ndestroy failed (rc=-21)`,
    );
  call.world.domains = call.world.domains.filter((other) => other !== domain);
  return ok();
}

function shutdown(call: ToolCall, id: string): ReturnType<ToolModel> {
  const domain = domainOf(call.world, id);
  if (domain === undefined && !/^\d+$/.test(id))
    return failed(1, `${id} is an invalid domain identifier (rc=-6)`);
  const said = `Shutting down domain ${domain?.domid ?? id}`;
  if (domain === undefined)
    return failed(
      1,
      `${said}\nlibxl: error: libxl_dom.c:37:libxl__domain_type: unable to get domain type for domid=${id}\nshutdown failed (rc=-3)`,
    );
  if (domain.state === 'shutdown' || domain.state === 'crashed')
    return failed(
      1,
      `${said}\nlibxl: error: libxl_domain.c:854:pvcontrol_cb: guest didn't acknowledge control request: -9\nshutdown failed (rc=-9)`,
    );
  call.world.domains = call.world.domains.filter((other) => other !== domain);
  const { domid } = domain;
  return ok(
    '',
    `${said}\nWaiting for 1 domains\nDomain ${domid} has been shut down, reason code 0\nDomain ${domid} has been destroyed\n`,
  );
}

/** Counts pauses, as Xen does: a domain that was paused twice runs after the second unpause. */
function pausing(call: ToolCall, [id = '', ...more]: readonly string[], by: 1 | -1): ReturnType<ToolModel> {
  if (more.length > 0) throw unmodelled(call, 'it knows one domain');
  const domain = domainOf(call.world, id);
  if (domain === undefined && !/^\d+$/.test(id))
    return failed(1, `${id} is an invalid domain identifier (rc=-6)`);
  if (domain === undefined) return ok();
  domain.pauses = Math.max(0, domain.pauses + by);
  if (domain.pauses > 0 && (domain.state === 'running' || domain.state === 'blocked'))
    domain.state = 'paused';
  if (domain.pauses === 0 && domain.state === 'paused') domain.state = 'blocked';
  return ok();
}

/** Sets the memory target. The balloon driver of a simulated guest reaches it at once. */
function memSet(call: ToolCall, [id = '', size = '', ...more]: readonly string[]): ReturnType<ToolModel> {
  const kib = /^(?<kib>\d+)k$/.exec(size)?.groups?.kib;
  if (kib === undefined || more.length > 0) throw unmodelled(call, 'it knows NUMBERk');
  const domain = domainOf(call.world, id);
  const memoryMiB = Number(kib) / 1024;
  const said = `cannot set domid ${id} dynamic max memory to : ${size}`;
  if (domain === undefined)
    return failed(
      1,
      `libxl: error: libxl_domain.c:416:libxl_domain_info: Domain ${id}:getting domain info: No such process\n${said}`,
    );
  if (memoryMiB > domain.most.memoryMiB)
    return failed(
      1,
      `libxl: error: libxl_mem.c:279:libxl_set_memory_target: Domain ${id}:memory_dynamic_max must be less than or equal to memory_static_max\n\n${said}`,
    );
  domain.memoryMiB = memoryMiB;
  return ok();
}

function vcpuSet(call: ToolCall, [id = '', count = '', ...more]: readonly string[]): ReturnType<ToolModel> {
  if (!/^\d+$/.test(count) || more.length > 0) throw unmodelled(call, 'it knows a number of one domain');
  const domain = domainOf(call.world, id);
  const said = `libxl_set_vcpuonline failed domid=${id} max_vcpus=${count}, rc: -6`;
  if (domain === undefined || Number(count) > domain.most.vcpus) return failed(1, said);
  domain.vcpus = Number(count);
  return ok();
}

function blockAttach(
  call: ToolCall,
  [id = '', disk = '', ...more]: readonly string[],
): ReturnType<ToolModel> {
  const { world } = call;
  const given = /^format=raw,vdev=(?<vdev>xvd[a-z]),access=(?<mode>ro|rw),target=(?<path>\/.*)$/.exec(
    disk,
  )?.groups;
  const { vdev = '', path = '', mode } = given ?? {};
  if (given === undefined || more.length > 0) throw unmodelled(call, 'it knows one raw disk of a domain');
  const domain = domainOf(world, id);
  const ends = (line: string): ReturnType<ToolModel> =>
    failed(1, `libxl: error: ${line}\nlibxl_device_disk_add failed.`);
  const notAdded = 'libxl: error: libxl_device.c:1486:device_addrm_aocomplete: unable to add device';
  if (domain === undefined)
    return ends(`libxl_dom.c:37:libxl__domain_type: unable to get domain type for domid=${id}\n${notAdded}`);
  const { domid } = domain;
  const device = deviceAt(world, path);
  if (device === undefined)
    return ends(
      `libxl_device.c:455:libxl__device_disk_set_backend: Disk vdev=${vdev} failed to stat: ${path}: No such file or directory\n${notAdded}`,
    );
  if (domain.disks.some((each) => each.vdev === vdev))
    return ends(
      `libxl_disk.c:343:device_disk_add: Domain ${domid}:device already exists in xenstore\n${notAdded}`,
    );
  const refusal = refusalOfScript(world, device.number);
  const number = refusal === undefined ? device.number : '';
  domain.disks = [...domain.disks, { vdev, path, number, mode: mode === 'ro' ? 'ro' : 'rw' }];
  if (refusal === undefined) return ok();
  // The disk stays in the store, without a device.
  return failed(
    1,
    `${refusal}\nlibxl: error: libxl_device.c:1481:device_addrm_aocomplete: Domain ${domid}:Unable to add vbd with id ${vdevNumber(vdev)}\nlibxl_device_disk_add failed.`,
  );
}

function blockDetach(
  call: ToolCall,
  [id = '', vdev = '', ...more]: readonly string[],
): ReturnType<ToolModel> {
  if (more.length > 0) throw unmodelled(call, 'it takes one disk away');
  const domain = domainOf(call.world, id);
  const disk = domain?.disks.find((each) => each.vdev === vdev);
  const number = vdevNumber(vdev);
  if (domain === undefined || disk === undefined)
    return failed(
      1,
      `libxl: error: libxl_disk.c:516:libxl__disk_from_xenstore: disk /libxl/${domain?.domid ?? id}/device/vbd/${number} does not exist (no backend path\nError: Device ${vdev} not connected.`,
    );
  const { domid } = domain;
  if (disk.kept === true)
    return failed(
      1,
      `libxl: error: libxl_device.c:1181:device_backend_callback: Domain ${domid}:unable to remove device with path /local/domain/0/backend/vbd/${domid}/${number}\nlibxl: error: libxl_device.c:1481:device_addrm_aocomplete: Domain ${domid}:Unable to remove vbd with id ${number}\nlibxl_device_disk_safe_remove failed.`,
    );
  domain.disks = domain.disks.filter((each) => each !== disk);
  return ok();
}

function networkAttach(
  call: ToolCall,
  [id = '', first = '', second = '', ...more]: readonly string[],
): ReturnType<ToolModel> {
  const { world } = call;
  const mac = /^mac=(?<mac>[0-9a-f:]{17})$/.exec(first)?.groups?.mac;
  const bridge = /^bridge=(?<bridge>.+)$/.exec(second)?.groups?.bridge;
  if (mac === undefined || bridge === undefined || more.some((each) => !each.startsWith('script=')))
    throw unmodelled(call, 'it knows a MAC address and a bridge');
  const domain = domainOf(world, id);
  if (domain === undefined)
    return failed(
      1,
      `libxl: error: libxl_dom.c:37:libxl__domain_type: unable to get domain type for domid=${id}\nlibxl: error: libxl_device.c:1486:device_addrm_aocomplete: unable to add device\nlibxl_device_nic_add failed.`,
    );
  const at = domain.nics.length;
  // The interface stays in the store if its script refuses it.
  domain.nics = [...domain.nics, { mac, bridge }];
  const refusal = refusalOfVifScript(world, bridge);
  if (refusal === undefined) return ok();
  return failed(
    1,
    `${refusal}\nlibxl: error: libxl_device.c:1481:device_addrm_aocomplete: Domain ${domain.domid}:Unable to add vif with id ${at}\nlibxl_device_nic_add failed.`,
  );
}

function networkDetach(
  call: ToolCall,
  [id = '', mac = '', ...more]: readonly string[],
): ReturnType<ToolModel> {
  if (more.length > 0) throw unmodelled(call, 'it takes one interface away');
  const domain = domainOf(call.world, id);
  if (domain?.nics.some((each) => each.mac === mac) !== true) return failed(1, `Unknown device ${mac}.`);
  domain.nics = domain.nics.filter((each) => each.mac !== mac);
  return ok();
}

function weigh(call: ToolCall, id: string, [weight = '', ...more]: readonly string[]): ReturnType<ToolModel> {
  if (!/^\d+$/.test(weight) || more.length > 0) throw unmodelled(call, 'it knows one weight');
  const domain = domainOf(call.world, id);
  if (domain === undefined) return failed(1, 'libxl_domain_sched_params_get failed.');
  domain.weight = Number(weight);
  return ok();
}

/** Finds a domain: xl accepts a name, or a number as an id. */
function domainOf(world: World, id: string): Domain | undefined {
  return world.domains.find(({ domid, name }) => (/^\d+$/.test(id) ? domid === Number(id) : name === id));
}
