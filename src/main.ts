import { runService } from './lifecycle/service-process.js';

await runService();
