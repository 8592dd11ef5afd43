import { storagesOf, type Command } from './commands.ts';
import { Storage } from './storage.ts';

/** What a step launches and allocates while it is recorded: nothing of it reaches the device. */
export class Recording {
  readonly commands: Command[] = [];
  /** Storages that the step allocated. They have no memory yet. */
  readonly planned: Storage[] = [];
  /** Other storages that the commands use: held, since the step may free their tensors. */
  readonly borrowed = new Set<Storage>();
  /** What the host does before each run of the step. */
  readonly beforeRun: (() => void)[] = [];

  push(command: Command): void {
    this.commands.push(command);
    for (const s of storagesOf(command)) if (s.buffer && !this.borrowed.has(s)) this.borrowed.add(s.retain());
  }

  allocate(bytes: number, label: string): Storage {
    const storage = new Storage(bytes, label);
    this.planned.push(storage);
    return storage;
  }

  /** Gives back the storages that it holds. */
  release(): void {
    for (const s of this.borrowed) s.release();
    this.borrowed.clear();
  }
}
