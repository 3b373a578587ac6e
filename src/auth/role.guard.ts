import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import type { Role } from '../config/auth.config.js';
import { EiderError } from '../errors/eider-error.js';
import { isAdminRequest } from '../http/admin-path.js';
import { auditNote } from '../http/audit-note.js';
import { ApiKeys } from './api-keys.js';
import { includesRole, type Principal } from './principal.js';
import { REQUIRED_ROLE } from './require-role.js';

/** Checks `@RequireRole`. An admin route that forgot it is for admins only, never open. */
@Injectable()
export class RoleGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly keys: ApiKeys,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    const stated = this.reflector.getAllAndOverride<Role | undefined>(REQUIRED_ROLE, [
      context.getHandler(),
      context.getClass(),
    ]);
    const needed = stated ?? (isAdminRequest(request) ? 'admin' : undefined);
    if (needed === undefined) return true;
    const principal = this.#authenticate(request);
    auditNote(request, { key: principal.name, role: principal.role });
    if (includesRole(principal.role, needed)) return true;
    throw new EiderError(
      'FORBIDDEN',
      `This needs the role ${needed}; the key "${principal.name}" is a ${principal.role}.`,
    );
  }

  #authenticate(request: Request): Principal {
    if (!this.keys.available) {
      throw new EiderError('ADMIN_KEYS_MISSING', 'ADMIN_API_KEYS is not set, and in production no key is generated.');
    }
    const principal = this.keys.authenticate(request);
    if (principal !== undefined) return principal;
    throw new EiderError(
      'UNAUTHENTICATED',
      request.headers.authorization === undefined ? 'The request has no API key.' : 'The API key is not valid.',
    );
  }
}
