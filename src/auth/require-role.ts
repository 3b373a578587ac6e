import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiBearerAuth, ApiExtension } from '@nestjs/swagger';
import type { Role } from '../config/auth.config.js';
import { ApiProblems } from '../http/api-problems.js';

/** Key of the metadata that RoleGuard reads. */
export const REQUIRED_ROLE = 'eider:required-role';

/** Tells the role in the OpenAPI document. */
export const ROLE_EXTENSION = 'x-required-role';

/** Lets only keys of this role or a higher one in; on a method it overrides what its controller says. */
export function RequireRole(role: Role): ClassDecorator & MethodDecorator {
  return applyDecorators(
    SetMetadata(REQUIRED_ROLE, role),
    ApiBearerAuth(),
    ApiExtension(ROLE_EXTENSION, role),
    ApiProblems('UNAUTHENTICATED', 'FORBIDDEN', 'RATE_LIMITED', 'ADMIN_KEYS_MISSING'),
  );
}
