import type { Request } from 'express';

/** Whether a request is for the admin API. Express matches routes whatever their case, so this does, too. */
export function isAdminRequest(request: Pick<Request, 'path'>): boolean {
  return isBelow(request.path, '/api/admin');
}

/** Whether a request is for health, which is answered to the very end. */
export function isHealthRequest(request: Pick<Request, 'path'>): boolean {
  return isBelow(request.path, '/api/health');
}

/** Whether a request is for anything that this service answers. */
export function isApiRequest(request: Pick<Request, 'path'>): boolean {
  return isBelow(request.path, '/api');
}

function isBelow(path: string, root: string): boolean {
  const lower = path.toLowerCase();
  return lower === root || lower.startsWith(`${root}/`);
}
