/** The public API: re-exports, and their introduction to files of users. */
import './core/globals.ts';
import * as library from './index.ts';
import { provideSite } from './connect.ts';
import { provideLibrary } from './script/load.ts';
import { siteOfProcess } from './script/public.ts';

export {
  AtomicOperationSequence,
  type AnyOperation,
  type Claims,
  deferred,
  type DeferredSpec,
  type DeviceKeys,
  type Key,
  type LaterSpec,
  type Look,
  operation,
  type Operation,
  type OperationSpec,
} from './atomic/index.ts';
export * as block from './api/block.ts';
export * as crypt from './api/crypt.ts';
export * as drbd from './api/drbd.ts';
export * as btrfs from './api/btrfs.ts';
export { ensure } from './api/ensure.ts';
export * as filesystem from './api/filesystem.ts';
export * as lvm from './api/lvm.ts';
export * as provision from './api/provision.ts';
export { hostMap } from './api/map.ts';
export * as mount from './api/mount.ts';
export { Mounted, MountPool, NestedMounted } from './api/mount.ts';
export * as network from './api/network.ts';
export { parsePlan, type Plan } from './api/plan.ts';
export type * from './api/types.ts';
export { recover, type RecoverRequest } from './api/recover.ts';
export { undo } from './api/undo.ts';
export { confirm } from './api/confirm.ts';
export * as vm from './api/vm.ts';
export * as xen from './api/xen.ts';
export type { Answers } from './cli/output/answers/by-verb.ts';
export type { Engine, EventStep, SequenceEventBody, SequenceEvent } from './atomic/index.ts';
export { type EventLog, eventText } from './atomic/event-log.ts';
export { type EventStream, eventStream } from './atomic/event-stream.ts';
export type { Signature } from './blockdevice/index.ts';
export {
  type ChangeHost,
  type Host,
  type ReadHost,
  parseKeyRef,
  Secret,
  type KeyRef,
} from './command/index.ts';
export { atomic, type Tx } from './api/atomic.ts';
export { type AtomicOptions, currentBofh, settings, withBofh, withSite } from './bofh.ts';
export { type Bofh, connect } from './connect.ts';
export type { SiteSetting } from './site-settings.ts';
export * from './core/errors.ts';
export { explain } from './core/explain.ts';
export { exitCodeOf } from './core/exit-code.ts';
export { localHost } from './host/local.ts';
export { sshHost, type SshHost } from './host/ssh/host.ts';
export { loadSite, runScript } from './script/public.ts';
export type { ApplyOptions } from './api/apply-collected.ts';
export type { CreatedObject, HostChange } from './provision/steps.ts';
export type { EnsureArgs } from './atomic/ensure.ts';
export {
  defineHost,
  type AptSourceRequest,
  type Collecting,
  type Content,
  type CronRequest,
  type Described,
  type DirectoryRequest,
  type FileRequest,
  type GroupRequest,
  type HostBuilder,
  type PackageRequest,
  type HostDescription,
  type Later,
  type Owned,
  type ReleaseRequest,
  type ScriptRequest,
  type ServiceRequest,
  type KernelModuleRequest,
  type SysctlRequest,
  type TemplateRequest,
  type UserRequest,
} from './provision/description.ts';
export type { Facts } from './provision/facts.ts';
export type { EditRequest, Values } from './provision/edit/edit.ts';
export type { LinesRequest } from './provision/lines.ts';
export type { Script } from './shell/commands.ts';
export type { Plain } from './provision/plain.ts';
export { defineSite, type Site, type SiteSettings } from './site.ts';
export { type Bytes, formatSize, parseSize } from './core/units.ts';

provideLibrary(library);
provideSite(siteOfProcess);
