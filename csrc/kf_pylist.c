/*
 * Lists of bytes objects without a copy per record: records are read from where the objects hold
 * them, and results are written straight into new ones. Uses the limited API only, so that one
 * build serves every CPython from 3.11 on; a free-threaded interpreter, which has none, gets its own.
 * Compiled to nothing outside the Python extension.
 */
#ifdef KF_PYTHON

#include <Python.h>

#include "kf.h"

/* A new reference to list[i], or NULL: the list has become shorter. */
static PyObject *item_of(uintptr_t list, int64_t i) {
#ifdef Py_GIL_DISABLED
    return PyList_GetItemRef((PyObject *)list, (Py_ssize_t)i); /* another thread may drop the list's own meanwhile */
#else
    PyObject *item = PyList_GetItem((PyObject *)list, (Py_ssize_t)i);
    if (item) Py_IncRef(item);
    return item;
#endif
}

static void release(const uintptr_t *owners, int64_t num) {
    for (int64_t i = 0; i < num; i++) Py_DecRef((PyObject *)owners[i]);
}

void kf_py_release(const uintptr_t *owners, int64_t num) {
    const PyGILState_STATE gil = PyGILState_Ensure();
    release(owners, num);
    PyGILState_Release(gil);
}

int kf_py_view(uintptr_t *owners, const uint8_t **ptrs, int64_t *lens, uint8_t *skip, int64_t *bad, uintptr_t list,
               int64_t num) {
    const PyGILState_STATE gil = PyGILState_Ensure();
    int status = KF_OK;
    for (int64_t i = 0; i < num; i++) {
        PyObject *item = item_of(list, i);
        char *data = NULL;
        Py_ssize_t len = 0;
        skip[i] = item == Py_None;
        if (!skip[i] && (!item || !PyBytes_Check(item) || PyBytes_AsStringAndSize(item, &data, &len) != 0)) {
            PyErr_Clear();
            release(owners, i);
            *bad = i;
            status = item ? KF_ERR_TYPE : KF_ERR_OFFSETS;
            if (item) Py_DecRef(item);
            break;
        }
        owners[i] = (uintptr_t)item;
        ptrs[i] = (const uint8_t *)data;
        lens[i] = len;
    }
    PyGILState_Release(gil);
    return status;
}

int kf_py_alloc(uint8_t **ptrs, uintptr_t list, const int64_t *lens, const uint8_t *skip, int64_t num, int64_t delta) {
    const PyGILState_STATE gil = PyGILState_Ensure();
    int status = KF_OK;
    for (int64_t i = 0; i < num; i++) {
        const int64_t len = lens[i] + delta;
        ptrs[i] = NULL;
        if (skip[i]) continue;
        PyObject *item = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(len > 0 ? len : 0));
        if (!item) {
            PyErr_Clear();
            status = KF_ERR_MEMORY;
            break;
        }
        ptrs[i] = (uint8_t *)PyBytes_AsString(item);
        if (PyList_SetItem((PyObject *)list, (Py_ssize_t)i, item) != 0) { /* takes the reference */
            PyErr_Clear();
            status = KF_ERR_ARGUMENT;
            break;
        }
    }
    PyGILState_Release(gil);
    return status;
}

int kf_py_fill(uintptr_t list, const uint8_t *data, int64_t stride, const int64_t *lens, int64_t num) {
    const PyGILState_STATE gil = PyGILState_Ensure();
    int status = KF_OK;
    for (int64_t i = 0; i < num && status == KF_OK; i++) {
        const int64_t len = lens ? lens[i] : stride;
        PyObject *item = PyBytes_FromStringAndSize((const char *)data + i * stride, (Py_ssize_t)len);
        if (!item)
            status = KF_ERR_MEMORY;
        else if (PyList_SetItem((PyObject *)list, (Py_ssize_t)i, item) != 0) /* takes the reference */
            status = KF_ERR_ARGUMENT;
    }
    if (status != KF_OK) PyErr_Clear();
    PyGILState_Release(gil);
    return status;
}

#endif
